"""Every error reaches a client as a problem document."""

from __future__ import annotations

import pytest

from modelwright.core.errors import (
    Conflict,
    NotFound,
    PermissionRefused,
    PlatformError,
    Unavailable,
    ValidationFailed,
)
from modelwright.core.problems import api_exception_handler, problem_body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValidationFailed("m"), 422),
        (NotFound("m"), 404),
        (PermissionRefused("m"), 403),
        (Conflict("m"), 409),
        (Unavailable("m"), 503),
    ],
)
def test_status_of_each_kind(error: PlatformError, status: int) -> None:
    assert problem_body(error)["status"] == status
    response = api_exception_handler(error, {})
    assert response is not None
    assert response.status_code == status
    assert ("Retry-After" in response.headers) == (status == 503)


def test_the_wrong_field_is_named_with_its_remedy() -> None:
    body = problem_body(ValidationFailed("Too long.", remedy="Shorten it.", field="name"))
    assert body["errors"] == [{"field": "name", "message": "Too long.", "remedy": "Shorten it."}]
    assert body["remedy"] == "Shorten it."
    assert body["detail"] == "Too long."


def test_other_exceptions_are_left_to_django() -> None:
    assert api_exception_handler(KeyError("x"), {}) is None
