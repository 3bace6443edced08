"""What stands behind the `?` of a REST address."""

from __future__ import annotations

from uuid import UUID

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from modelwright.core.errors import ValidationFailed
from modelwright.core.parameters import MAX_OFFSET, choice_of, id_of, offset_of

ONE = UUID(int=1)


def asks(query: str) -> Request:
    return Request(APIRequestFactory().get(f"/?{query}"))


def test_a_choice_is_one_of_them_or_none() -> None:
    assert choice_of(asks("state=open"), "state", ("open", "shut")) == "open"
    assert choice_of(asks("other=x"), "state", ("open",)) == ""
    assert choice_of(asks("state="), "state", ("open",)) == ""
    with pytest.raises(ValidationFailed, match="`state` is 'ajar'") as refused:
        choice_of(asks("state=ajar"), "state", ("open", "shut"))
    assert refused.value.remedy == "Give one of open, shut."
    assert [error.field for error in refused.value.errors] == ["state"]


def test_an_id_is_one_or_none() -> None:
    assert id_of(asks(f"endpoint={ONE}"), "endpoint", "an endpoint") == ONE
    assert id_of(asks(""), "endpoint", "an endpoint") is None
    with pytest.raises(ValidationFailed, match="`endpoint` is 'wine'") as refused:
        id_of(asks("endpoint=wine"), "endpoint", "an endpoint")
    assert refused.value.remedy == "Give the id of an endpoint."


def test_an_offset_is_a_byte_of_a_log() -> None:
    assert [offset_of(asks(query)) for query in ("", "offset=0", f"offset={MAX_OFFSET}")] == [0, 0, MAX_OFFSET]
    for wrong in ("-1", "1.5", "x", "²", str(MAX_OFFSET + 1), "9" * 400, ""):
        with pytest.raises(ValidationFailed):
            offset_of(asks(f"offset={wrong}"))
