"""Generated requests, valid and invalid, against every operation of the schema, as two people.

Nothing that anybody sends may give an answer that the schema does not describe, and nothing invalid may be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.api.operations import schema
from tests.matrix.world import World

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_CONFIG = schemathesis.config.SchemathesisConfig.from_dict({})
SCHEMA = schemathesis.openapi.from_dict(schema(), config=_CONFIG)
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)}
PLAN = [
    *((label, "site-admin", GenerationMode.POSITIVE, 8) for label in OPERATIONS),
    *((label, "site-admin", GenerationMode.NEGATIVE, 10) for label, one in OPERATIONS.items() if one.query or one.body),
    *((label, "contributor", GenerationMode.POSITIVE, 3) for label in OPERATIONS),
]


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    """The web application, without a server. The database's connection outlives a request, as in Django's client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _has_wrong_body(case: Any) -> bool:
    """Whether the body breaks its schema. The path and the token are mended here, and unknown queries are ignored."""
    part = case.meta.components.get(ParameterLocation.BODY)
    return part is not None and part.mode == GenerationMode.NEGATIVE and not _fits_trimmed(case)


def _fits_trimmed(case: Any) -> bool:
    """Whether the body is right but for blanks around its texts, which are taken away before anything is looked at."""
    if not isinstance(case.body, dict):
        return False
    trimmed = {name: value.strip() if isinstance(value, str) else value for name, value in case.body.items()}
    content = schema()["paths"][case.operation.path][case.method.lower()]["requestBody"]["content"]
    own = content["application/json"]["schema"]
    validator = Draft202012Validator({**own, "components": schema()["components"]})
    return trimmed != case.body and bool(validator.is_valid(trimmed))


def test_every_operation_can_be_generated() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in schema()["paths"].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "role", "mode", "examples"), PLAN, ids=[f"{label} {role} {mode.value}" for label, role, mode, _ in PLAN]
)
def test_answers_are_as_the_schema_says(
    world: World, app: Any, label: str, role: str, mode: GenerationMode, examples: int
) -> None:
    operation = OPERATIONS[label]
    known = {name: str(value) for name, value in world.values_for(role).items()}
    own = {one.name: known[one.name] for one in operation.path_parameters if one.name in known}

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode), st.integers(0, 9))
    def ask(case: Any, dice: int) -> None:
        # Mostly of things that are there; made-up ids are answered with 404 and show little.
        if dice:
            case.path_parameters = {**(case.path_parameters or {}), **own}
        savepoint = transaction.savepoint()
        try:
            headers = {"Authorization": f"Bearer {world.tokens[role]}"}
            response = case.call(app=app, base_url="http://testserver", headers=headers)
            refusal = [checks.negative_data_rejection] if _has_wrong_body(case) else []
            case.validate_response(response, checks=[*CHECKS, *refusal])
        finally:
            transaction.savepoint_rollback(savepoint)
            world.restore_branch()

    ask()
