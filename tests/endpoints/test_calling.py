"""What an endpoint's page and its OpenAPI document say of how to call it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from models.endpoints import reconciler, routes, services
from models.endpoints.calling import calls_of, example_of
from models.endpoints.models import Deployment, Endpoint, PublishedRoutes
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.gateway import asking
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
SIGNATURE: dict[str, Any] = {
    "inputs": [
        {"name": "name", "type": "string", "required": True},
        {"name": "age", "type": "long", "required": True},
    ],
    "outputs": [],
}


@pytest.fixture
def endpoint(make_user: Callable[..., User]) -> Endpoint:
    ann = Actor.person(make_user("ann"))
    project = make_project("wine", ann="admin")
    made = services.create_endpoint(project=project, name="wine", acting_user=ann)
    model = RegisteredModel.objects.create(project=project, name="red & white")
    version = ModelVersion.objects.create(
        model=model, number=1, state="ready", source="x", signature=SIGNATURE, example={"age": 41, "name": "it's me"}
    )
    services.deploy(made, model_version=version, acting_user=ann)
    Deployment.objects.update(state="live")
    made.refresh_from_db()
    return made


def test_every_protocol_has_a_line_for_curl_with_a_body_that_it_reads(endpoint: Endpoint) -> None:
    calls = calls_of(endpoint, Deployment.objects.get())
    urls = [re.findall(r"http\S+", call.curl)[0] for call in calls]
    assert [url.partition(f"/{endpoint.path}/")[2] for url in urls] == [
        *("predict", "invocations", "v2/models/red%20%26%20white/infer", "v1/models/red%20%26%20white:predict"),
    ]
    for call, protocol in zip(calls, ("own", "mlflow", "v2", "tensorflow"), strict=True):
        body = json.loads(call.curl.partition("-d '")[2][:-1].replace("'\\''", "'"))
        assert asking.ask(protocol, body, signature=SIGNATURE).frame.rows == [("it's me", 41)]


def test_the_page_shows_them_and_where_the_document_is(
    endpoint: Endpoint, browser_client: Callable[[User], Client]
) -> None:
    content = html.unescape(
        browser_client(User.objects.get(username="ann")).get(f"/endpoints/{endpoint.pk}/").content.decode()
    )
    for call in calls_of(endpoint, Deployment.objects.get()):
        assert call.curl in content
    assert f"{endpoint.path}/openapi.json' -H" in content or f"{endpoint.path}/openapi.json -H" in content


def test_the_route_table_gets_the_example_without_what_is_redacted(endpoint: Endpoint) -> None:
    endpoint.redacted_columns = ["name"]
    (target,) = routes.entry(endpoint, Deployment.objects.get(), {}, {})["targets"]
    assert target["example"] == {"age": 41}


def test_an_example_that_is_too_large_is_left_out(endpoint: Endpoint) -> None:
    version = ModelVersion.objects.get()
    version.example = {"name": "x" * 20_000, "age": 1}
    assert example_of(version, ()) is None
    version.example = None
    assert example_of(version, ()) is None
    version.example = {"name": "x", "age": int("9" * 400)}
    assert example_of(version, ()) is None


@pytest.mark.parametrize(
    "column",
    [
        {"name": "age", "type": "object", "properties": int("9" * 400)},
        {"name": "age", "type": "tensor", "tensor": {"dtype": "float32", "shape": [-2]}},
    ],
)
def test_what_the_gateway_cannot_use_is_never_published(
    endpoint: Endpoint, column: dict[str, Any], settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    reconciler.tick()
    before = routes.published()
    assert set(before) == {endpoint.path}
    ModelVersion.objects.update(signature={"inputs": [column], "outputs": []})
    reconciler.tick()
    assert routes.published() == before
    # Nor does what was published before it was looked at stay.
    before[endpoint.path]["targets"][0]["signature"] = {"inputs": [column], "outputs": []}
    PublishedRoutes.objects.update(endpoints=before)
    reconciler.tick()
    assert routes.published() == {}
