"""A PMML document that a run logs through the tracking address becomes a version that is served."""

from __future__ import annotations

import os

from modelwright.local.demo.client import Client
from tests.compose.journey import serve_iris
from tests.e2e.model_journey import Journey, check_pmml_answers
from tests.e2e.stack import Rest, Stack


def test_a_pmml_document_goes_from_a_run_to_an_endpoint(stack: Stack, rest: Rest) -> None:
    token = str(rest.session.headers["Authorization"]).removeprefix("Bearer ")
    api = Client(stack.web_url, token)
    check_pmml_answers(Journey(api, serve_iris(api, f"pmml-{os.getpid()}")))
