"""Pages and REST of rollouts, the time line of deployments, and what is different between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from models.endpoints import services as endpoints
from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion
from models.rollouts import controller
from models.rollouts.models import Rollout
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.rollouts.conftest import answered, fresh, newest, serve, weights

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def web(ann: User, browser_client: Callable[[User], Client]) -> Client:
    """Ann at the browser."""
    return browser_client(ann)


def form_of(version: ModelVersion, **facts: Any) -> dict[str, Any]:
    usual = {"model_version": str(version.pk), "strategy": "canary", "steps": "10 1 20\n50 1", "min_requests": "20"}
    return {**usual, "max_error_rate": "5", "no_more_errors_than_base": "on", **facts}


def test_a_rollout_is_begun_watched_and_stopped_on_pages(
    web: Client, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    address = f"/endpoints/{endpoint.pk}/rollouts/"
    assert "No rollouts yet" in web.get(address).text
    assert "is drawn" in web.get(f"{address}new/?version={versions[1].pk}").text
    wrong = web.post(f"{address}new/", form_of(versions[1], steps="ten 1"))
    assert wrong.status_code == 422
    assert "no number" in wrong.text
    refused = web.post(f"{address}new/", form_of(versions[1], steps="50 1\n10 1"))
    assert refused.status_code == 422
    assert "do not grow" in refused.text
    begun = web.post(f"{address}new/", form_of(versions[1], reason="It is better."))
    rollout = Rollout.objects.get()
    assert begun.headers["Location"] == f"/rollouts/{rollout.pk}/"
    assert rollout.steps == [
        {"weight": 10, "minutes": 1.0, "requests": 20},
        {"weight": 50, "minutes": 1.0, "requests": 0},
    ]
    assert (rollout.conditions["max_error_rate"], rollout.conditions["max_p99_ratio"]) == (0.05, None)
    assert "The new version is started" in web.get(f"/rollouts/{rollout.pk}/").text
    first = serve(newest(endpoint))
    controller.tick()
    answered(first, versions[0], 180)
    answered(first, versions[1], 20)
    controller.tick()
    page = web.get(f"/rollouts/{rollout.pk}/state/").text
    assert "0 of 20 requests failed" in page
    assert "hx-get" in page
    assert "180" in web.get(f"/rollouts/{rollout.pk}/comparison/").text
    assert "step 1 of 2" in web.get(f"{address}current/").text
    for press in ("pause", "resume"):
        assert web.post(f"/rollouts/{rollout.pk}/{press}/").status_code == 302
    assert web.get(f"/rollouts/{rollout.pk}/advance/").status_code == 200
    assert web.post(f"/rollouts/{rollout.pk}/stop/", {"reason": ""}).status_code == 422
    assert web.post(f"/rollouts/{rollout.pk}/stop/", {"reason": "It is too slow."}).status_code == 302
    page = web.get(f"/rollouts/{rollout.pk}/").text
    assert "It is too slow." in page
    assert f"/rollouts/{rollout.pk}/state/" not in page, "what is over is not asked for again"
    assert "Canary" in web.get(f"{address}?state=stopped").text
    assert "Nothing matches" in web.get(f"{address}?state=promoted").text


def test_a_shadow_shows_what_it_answered_otherwise_and_who_was_right(
    web: Client, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    from django.utils import timezone

    from models.predictions.models import Feedback, Prediction

    web.post(f"/endpoints/{endpoint.pk}/rollouts/new/", form_of(versions[1], strategy="shadow", steps="0 5"))
    rollout = Rollout.objects.get()
    first = serve(newest(endpoint))
    answered(first, versions[0], 10, outputs=["accept"])
    clients = list(Prediction.objects.order_by("id"))
    for number, client in enumerate(clients):
        output = "refuse" if number < 3 else "accept"
        answered(first, versions[1], 1, outputs=[output], role="shadow", shadow_of=client.pk.hex, latency_ms=9.0)
        Feedback.objects.create(
            endpoint_id=endpoint.pk,
            prediction_id=client.pk,
            truth="refuse" if number < 2 else "accept",
            known_at=timezone.now(),
            source="key",
        )
    page = web.get(f"/rollouts/{rollout.pk}/comparison/").text
    assert "10 requests were shadowed: 3 were answered otherwise" in page
    assert "4 ms longer" in page
    assert "90.0 %" in page
    assert "80.0 %" in page
    assert f"/predictions/{clients[0].pk}/" in page


def test_rest_begins_lists_and_stops(api: Any, ann: User, endpoint: Endpoint, versions: list[ModelVersion]) -> None:
    client = api(ann)
    address = f"/api/v1/endpoints/{endpoint.pk}/rollouts/"
    body = {"model_version": str(versions[1].pk), "steps": [{"weight": 20, "minutes": 5}], "reason": "better"}
    made = client.post(address, body, content_type=JSON, headers={"Idempotency-Key": "one"})
    assert made.status_code == 201, made.text
    assert client.post(address, body, content_type=JSON, headers={"Idempotency-Key": "one"}).json() == made.json()
    assert client.post(address, body, content_type=JSON).status_code == 409
    rollout = fresh(Rollout.objects.get())
    own = f"/api/v1/rollouts/{rollout.pk}/"
    assert made.json()["steps"] == [{"weight": 20, "minutes": 5.0, "requests": 0}]
    assert client.get(f"{address}?state=pending").json()["results"][0]["id"] == str(rollout.pk)
    assert client.get(f"{address}?state=odd").status_code == 422
    wrong = client.post(address, {**body, "conditions": {"max_error_rate": 7}}, content_type=JSON)
    assert wrong.status_code in (409, 422)
    serve(newest(endpoint))
    controller.tick()
    assert client.get(f"{own}comparison/").json()["candidate"]["requests"] == 0
    assert client.post(f"{own}pause/", {}, content_type=JSON).json()["state"] == "paused"
    assert client.post(f"{own}pause/", {}, content_type=JSON).status_code == 409
    assert client.post(f"{own}resume/", {}, content_type=JSON).json()["state"] == "running"
    assert client.post(f"{own}advance/", {"reason": "go"}, content_type=JSON).json()["step"] == 1
    assert client.post(f"{own}stop/", {"reason": "no"}, content_type=JSON).json()["state"] == "stopped"
    kinds = [each["kind"] for each in client.get(f"{own}events/").json()["results"]]
    assert kinds == ["stopped", "resumed", "paused", "step", "started"]
    deployment = client.get(f"/api/v1/deployments/{newest(endpoint).pk}/").json()
    assert deployment["rollout_id"] == str(rollout.pk)


def test_rest_takes_a_rollout_to_its_end_and_says_409_to_what_does_not_fit_where_it_stands(
    api: Any, ann: User, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    client = api(ann)
    body = {"model_version": str(versions[1].pk), "steps": [{"weight": 20, "minutes": 5}], "reason": "better"}
    made = client.post(f"/api/v1/endpoints/{endpoint.pk}/rollouts/", body, content_type=JSON).json()
    own = f"/api/v1/rollouts/{made['id']}/"

    def state() -> str:
        return str(client.get(own).json()["state"])

    def fitting() -> set[str]:
        """What may be asked for now; nothing of it is kept."""
        found = set()
        for what in ("pause", "resume", "advance", "stop"):
            point = transaction.savepoint()
            said = client.post(f"{own}{what}/", {} if what == "resume" else {"reason": "r"}, content_type=JSON)
            transaction.savepoint_rollback(point)
            assert said.status_code in (200, 409), (what, said.text)
            found |= {what} if said.status_code == 200 else set()
        return found

    assert (state(), fitting()) == ("pending", {"stop"})
    serve(newest(endpoint))
    controller.tick()
    assert (state(), fitting()) == ("running", {"pause", "advance", "stop"})
    client.post(f"{own}pause/", {}, content_type=JSON)
    assert (state(), fitting()) == ("paused", {"resume", "stop"})
    client.post(f"{own}resume/", {}, content_type=JSON)
    client.post(f"{own}advance/", {"reason": "it is good enough"}, content_type=JSON)
    assert (state(), fitting()) == ("running", {"pause", "stop"}), "its last deployment does not serve yet"
    serve(newest(endpoint))
    controller.tick()
    assert (state(), fitting()) == ("promoted", set())
    again = client.post(f"/api/v1/endpoints/{endpoint.pk}/rollouts/", body, content_type=JSON)
    assert again.status_code == 409, "it is what serves"


def test_a_stranger_finds_no_rollout(
    api: Any, ann: User, stranger: User, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    body = {"model_version": str(versions[1].pk)}
    api(ann).post(f"/api/v1/endpoints/{endpoint.pk}/rollouts/", body, content_type=JSON)
    rollout = Rollout.objects.get()
    client = api(stranger)
    for address in ("", "events/", "comparison/"):
        assert client.get(f"/api/v1/rollouts/{rollout.pk}/{address}").status_code == 404
    assert client.post(f"/api/v1/rollouts/{rollout.pk}/stop/", {"reason": "x"}, content_type=JSON).status_code == 404


def test_the_time_line_tells_actor_reason_and_what_changed(
    web: Client, api: Any, ann: User, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    one, two = versions[:2]
    ModelVersion.objects.filter(pk=one.pk).update(
        parameters={"depth": "3"}, metrics={"auc": 0.8}, requirements="scikit-learn==1.5\nnumpy\n"
    )
    signature = {"inputs": [{"name": "alcohol", "type": "double"}, {"name": "ash", "type": "double"}], "outputs": None}
    ModelVersion.objects.filter(pk=two.pk).update(
        parameters={"depth": "5"}, metrics={"auc": 0.9}, requirements="scikit-learn==1.6\nnumpy\n", signature=signature
    )
    first = newest(endpoint)
    second = serve(endpoints.deploy(endpoint, model_version=two, reason="deeper", acting_user=Actor.person(ann)))
    page = web.get(f"/endpoints/{endpoint.pk}/deployments/").text
    assert "“deeper”" in page
    assert "#1" in page
    assert "Nothing matches" in web.get(f"/endpoints/{endpoint.pk}/deployments/?kind=rollback").text
    page = web.get(f"/endpoints/{endpoint.pk}/deployments/differences/?a={first.pk}&b={second.pk}").text
    assert "The same in both: Routing, Fallback, Graph" in page
    assert web.get(f"/endpoints/{endpoint.pk}/deployments/differences/?a=nothing").status_code == 422
    found = api(ann).get(f"/api/v1/deployments/{first.pk}/differences/{second.pk}/").json()
    rows = {section["name"]: {row["what"]: (row["before"], row["after"]) for row in section["rows"]}
            for section in found["sections"]}  # fmt: skip
    assert rows["Versions"] == {
        "wine version 1": ("live, weight 100", ""),
        "wine version 2": ("", "live, weight 100"),
    }
    assert rows["Parameters"] == {"depth": ("3", "5")}
    assert rows["Metrics"] == {"auc": ("0.8", "0.9")}
    assert rows["Requirements"] == {"scikit-learn": ("scikit-learn==1.5", "scikit-learn==1.6")}
    assert "inputs ash" in rows["Signature"]
    same = web.get(f"/endpoints/{endpoint.pk}/deployments/differences/?a={first.pk}&b={first.pk}").text
    assert "They serve the same" in same
    assert weights(second) == {2: ("live", 100)}
