"""Pages and REST of events: what a project's administrator does with a sink, and what others see of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from models.endpoints.models import Deployment
from models.events import ordering
from models.events.delivering import deliver
from models.events.models import DeadLetter, Sink
from models.events.selectors import newest_of
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from projects.models import Project, ProjectMembership
from tests.events.conftest import Receiver
from tests.models_support import make_project
from workspaces.models import Membership

pytestmark = pytest.mark.django_db


def add_member(project: Project, username: str, role: str) -> None:
    """Add a person who exists."""
    user = User.objects.get(username=username)
    member, _ = Membership.objects.get_or_create(workspace=project.workspace, user=user, defaults={"role": "member"})
    ProjectMembership.objects.create(project=project, user=user, workspace_membership=member, role=role)


Predict = Callable[..., list[UUID]]
REQUIRED = {"specversion", "id", "source", "type"}


def test_a_sink_from_its_making_to_its_removal_by_pages(
    browser_client: Any, ann: User, project: Any, receiver: Receiver, predict: Predict
) -> None:
    page = browser_client(ann)
    form = {"name": "lake", "url": f"{receiver.url}?token=s3cr3t", "mode": "batch", "start": "oldest"}
    made = page.post(f"/projects/{project.pk}/event-sinks/new/", {**form, "families": ["request", "answer"]})
    assert "whsec_" in made.content.decode()
    sink = Sink.objects.get()
    (bad,) = predict(1)
    receiver.answer = lambda events: (400, {})
    ordering.tick()
    deliver(sink.pk)
    shown = page.get(f"/event-sinks/{sink.pk}/").content.decode()
    assert f"{bad.hex}.request" in shown
    assert "It answered 400" in shown
    assert "s3cr3t" not in shown
    listed = page.get(f"/projects/{project.pk}/events/").content.decode()
    assert f"{bad.hex}.answer" in listed
    told = {event.id: event.at for event in newest_of(project, limit=5, families=["answer"])}[f"{bad.hex}.answer"]
    assert abs(told - timezone.now()) < timedelta(minutes=10)
    assert f'title="{told:%Y-%m-%d %H:%M:%S} UTC"' in listed
    receiver.answer = lambda events: (200, {})
    dead = DeadLetter.objects.get(state="dead")
    page.post(f"/event-sinks/{sink.pk}/dead-letters/resend/?letter={dead.pk}")
    deliver(sink.pk)
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"delivered"}
    page.post(f"/event-sinks/{sink.pk}/pause/", {"reason": "maintenance"})
    assert "maintenance" in page.get(f"/event-sinks/{sink.pk}/state/").content.decode()
    page.post(f"/event-sinks/{sink.pk}/resume/")
    page.post(f"/event-sinks/{sink.pk}/remove/")
    assert not Sink.objects.exists()
    actions = AuditEvent.objects.filter(target_kind="event sink").order_by("id").values_list("action", flat=True)
    assert [action.partition(".")[2] for action in actions] == ["created", "sent-again", "paused", "resumed", "removed"]
    assert "s3cr3t" not in json.dumps(list(AuditEvent.objects.values_list("after", flat=True)))


@pytest.mark.parametrize(("mode", "status"), [("batch", 204), ("single", 204), ("batch", 401)])
def test_a_test_event_is_posted_at_once_signed_and_on_record(
    browser_client: Any, ann: User, make_sink: Callable[..., Sink], receiver: Receiver, mode: str, status: int
) -> None:
    receiver.answer = lambda events: (status, {})
    sink = make_sink(mode=mode)
    before = Sink.objects.values().get()
    shown = browser_client(ann).post(f"/event-sinks/{sink.pk}/test/", follow=True).content.decode()
    ((event,), _) = receiver.bodies[0]
    assert event["type"] == "io.modelwright.sink.test"
    assert event.keys() >= REQUIRED
    assert receiver.headers[0]["webhook-signature"].startswith("v1,")
    batched = receiver.headers[0]["content-type"].startswith("application/cloudevents-batch+json")
    assert batched is (mode == "batch")
    said = "has taken the test event" if status == 204 else "has not taken the test event. It answered 401"
    assert said in shown
    row = AuditEvent.objects.get(action="event-sink.tested")
    assert row.after is not None
    assert (row.after["status"], row.after["taken"]) == (status, status == 204)
    assert Sink.objects.values().get() == before, "it moves no cursor, and a failure is not the delivery's"


def test_an_address_inside_is_refused_beside_its_field(browser_client: Any, ann: User, project: Any) -> None:
    form = {"name": "lake", "url": "http://169.254.169.254/latest", "mode": "batch", "families": ["answer"]}
    answer = browser_client(ann).post(f"/projects/{project.pk}/event-sinks/new/", {**form, "start": "newest"})
    assert answer.status_code == 422
    assert "inside the network" in answer.content.decode()


def test_the_stream_is_read_by_position_and_holds_one_project(
    api: Any, ann: User, project: Any, predict: Predict, deployment: Deployment
) -> None:
    ids = predict(3)
    make_project("other", ann="admin")
    ordering.tick()
    client, after, events = api(ann), 0, []
    while True:
        answer = client.get(f"/api/v1/projects/{project.pk}/events/?after={after}&limit=2&family=answer").json()
        events += answer["events"]
        after = answer["position"]
        if after == answer["head"]:
            break
    assert [event["id"] for event in events] == [f"{id_.hex}.answer" for id_ in ids]
    for event in events:
        assert event.keys() >= REQUIRED
        assert event["specversion"] == "1.0"
        assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in event)
    assert events[0]["data"]["outputs"] == ["one:0"]
    assert events[0]["source"] == f"/endpoints/{deployment.endpoint_id}"
    assert client.get(f"/api/v1/projects/{project.pk}/events/?after=x").status_code == 422


def test_sinks_over_rest(api: Any, ann: User, project: Any, make_user: Any, deployment: Deployment) -> None:
    client = api(ann)

    def post(path: str, **body: Any) -> Any:
        return client.post(f"/api/v1/{path}", body, content_type="application/json")

    made = post(f"projects/{project.pk}/event-sinks/", name="lake", url="https://events.example.org/in?key=1")
    assert made.status_code == 201
    sink = made.json()
    assert sink["url"] == "https://events.example.org/in?…"
    assert sink["secret"].startswith("whsec_")
    detail = client.get(f"/api/v1/event-sinks/{sink['id']}/").json()
    assert "secret" not in detail
    assert detail["waiting"] == 0
    changed = client.patch(
        f"/api/v1/event-sinks/{sink['id']}/",
        {"families": ["answer"], "endpoint_ids": [str(deployment.endpoint_id)]},
        content_type="application/json",
    )
    assert (changed.status_code, changed.json()["families"]) == (200, ["answer"])
    again = post(f"event-sinks/{sink['id']}/secret/").json()["secret"]
    assert again != sink["secret"]
    assert post(f"event-sinks/{sink['id']}/pause/", reason="x").json()["state"] == "paused"
    assert post(f"event-sinks/{sink['id']}/dead-letters/resend/").status_code == 409
    stranger = api(make_user("eve"))
    assert stranger.get(f"/api/v1/event-sinks/{sink['id']}/").status_code == 404
    assert client.delete(f"/api/v1/event-sinks/{sink['id']}/").status_code == 204


@pytest.mark.parametrize("asked", ["s3cr3t", "key=s3cr3t", "events.example.org"])
def test_the_filter_of_sinks_finds_nothing_of_an_address(
    asked: str, browser_client: Any, make_user: Any, project: Any, make_sink: Callable[..., Sink]
) -> None:
    bob = make_user("bob")
    add_member(project, "bob", "viewer")
    sink = make_sink(name="lake", url="https://events.example.org/in?key=s3cr3t")
    listed = f"/event-sinks/{sink.pk}/"
    page = browser_client(bob)
    assert listed in page.get(f"/projects/{project.pk}/events/", {"q": "lake"}).content.decode()
    assert listed not in page.get(f"/projects/{project.pk}/events/", {"q": asked}).content.decode()


def test_a_change_of_what_is_not_shown_of_an_address_leaves_a_trace(
    api: Any, ann: User, make_sink: Callable[..., Sink]
) -> None:
    sink = make_sink(url="https://events.example.org/in?key=one")

    def change(url: str) -> AuditEvent:
        body = {"url": url}
        answer = api(ann).patch(f"/api/v1/event-sinks/{sink.pk}/", body, content_type="application/json")
        assert answer.status_code == 200
        return AuditEvent.objects.filter(action="event-sink.changed").latest("id")

    same, other = change("https://events.example.org/in?key=one"), change("https://events.example.org/in?key=two")
    assert same.before == same.after
    assert other.before != other.after
    assert "two" not in json.dumps(other.after)


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("operator", False), ("admin", True), (None, True)])
def test_what_the_audit_log_has_of_a_change_is_for_administrators_and_auditors(
    role: str | None, sees: bool, api: Any, make_user: Any, project: Any, deployment: Deployment
) -> None:
    bob = make_user("bob", is_auditor=role is None)
    if role:
        add_member(project, "bob", role)
    ordering.tick()
    events = api(bob).get(f"/api/v1/projects/{project.pk}/events/?family=deployment").json()["events"]
    made = next(event for event in events if event["type"] == "io.modelwright.deployment.created")
    assert made["data"]["target"]["name"] == "acme/wine #1"
    assert ({"before", "after", "reason"} <= made["data"].keys()) is sees
    assert bool({"before", "after", "reason"} & made["data"].keys()) is sees


def test_another_secret_is_asked_for_before_it_is_made(
    browser_client: Any, ann: User, make_sink: Callable[..., Sink]
) -> None:
    sink = make_sink(name="lake")
    page, address = browser_client(ann), f"/event-sinks/{sink.pk}/secret/"
    assert f'action="{address}"' not in page.get(f"/event-sinks/{sink.pk}/").content.decode()
    before = Sink.objects.get().secret
    assert "worthless at once" in page.get(address).content.decode()
    assert Sink.objects.get().secret == before
    assert "whsec_" in page.post(address).content.decode()
    assert Sink.objects.get().secret != before
