"""Sinks of a whole workspace: what they get, in which order, and who sees and manages them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from models.endpoints import services as endpoint_services
from models.endpoints.models import Deployment
from models.events import ordering, services
from models.events.delivering import Deliverer, deliver
from models.events.models import DeadLetter, Sink
from models.events.services import create_sink
from models.events.waiting import due
from models.predictions.storing import store
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, QuotaExceeded, ValidationFailed
from projects.models import Project
from tests.events.conftest import Receiver, record_of
from tests.models_support import make_project
from workspaces.models import Membership, Workspace

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
JSON = "application/json"


@pytest.fixture
def workspace(project: Project, make_user: Callable[..., User]) -> Workspace:
    """Of which dot is administrator; ann administers the project `wine` of it, and nothing else."""
    Membership.objects.create(workspace=project.workspace, user=make_user("dot"), role="admin")
    return project.workspace


@pytest.fixture
def dot(workspace: Workspace) -> User:
    found: User = User.objects.get(username="dot")
    return found


def deployment_in(project: Project, name: str) -> Deployment:
    model = RegisteredModel.objects.create(project=project, name=name)
    version = ModelVersion.objects.create(model=model, number=1, state="ready", source="x", artifact_digest="a" * 64)
    endpoint = endpoint_services.create_endpoint(project=project, name=name, acting_user=SYSTEM)
    return endpoint_services.deploy(endpoint, model_version=version, acting_user=SYSTEM)


@pytest.fixture
def beer(workspace: Workspace) -> Deployment:
    """In another project of the workspace."""
    return deployment_in(make_project("beer"), "beer")


@pytest.fixture
def elsewhere(db: None) -> Deployment:
    """In another workspace."""
    return deployment_in(make_project("tea", workspace="other"), "tea")


@pytest.fixture
def sink(workspace: Workspace, receiver: Receiver) -> Sink:
    return made(workspace, receiver)


def made(workspace: Workspace, receiver: Receiver, **changes: Any) -> Sink:
    values = {"name": "all", "url": receiver.url, "start": "newest", "families": ["request", "answer"], **changes}
    return create_sink(workspace, **values, acting_user=SYSTEM)[0]


def asked(*deployments: Deployment) -> list[UUID]:
    """A prediction of each, stored one after another."""
    found = []
    for deployment in deployments:
        one = record_of(deployment)
        store([one])
        found.append(UUID(one["id"]))
    return found


def run(sink: Sink) -> int:
    ordering.tick()
    taken = 0
    while sink.pk in due():
        taken += deliver(sink.pk)
    sink.refresh_from_db()
    return taken


def events_of(receiver: Receiver) -> Iterator[dict[str, Any]]:
    for events, status in receiver.bodies:
        if status < 300:
            yield from events


def test_it_gets_the_events_of_all_projects_of_the_workspace_and_of_no_other(
    sink: Sink, receiver: Receiver, deployment: Deployment, beer: Deployment, elsewhere: Deployment
) -> None:
    run(sink)
    first, _, second, third = asked(deployment, elsewhere, beer, deployment)
    assert run(sink) == 6
    taken = list(events_of(receiver))
    assert [event["id"] for event in taken] == [
        f"{id_.hex}.{part}" for id_ in (first, second, third) for part in ("request", "answer")
    ]
    projects = [str(each.endpoint.project_id) for each in (deployment, beer, deployment)]
    assert [event["project"] for event in taken[::2]] == projects
    assert [event["source"] for event in taken[::2]] == [
        f"/endpoints/{each.endpoint_id}" for each in (deployment, beer, deployment)
    ]
    later = deployment_in(make_project("cider"), "cider")
    asked(later)
    assert run(sink) == 2, "a project that was made later is one of the workspace too"


def test_what_is_of_no_endpoint_says_of_which_project_it_is_also_when_it_is_sent_again(
    workspace: Workspace, receiver: Receiver, project: Project, beer: Deployment
) -> None:
    sink = made(workspace, receiver, families=["model"])
    for one in (project, beer.endpoint.project):
        record(
            acting_user=SYSTEM,
            action=AuditAction.MODEL_REGISTERED,
            target=Target("registered model", one.pk, one.name),
            workspace_id=one.workspace_id,
            project_id=one.pk,
        )
    receiver.answer = lambda events: (400, {})
    run(sink)
    assert DeadLetter.objects.filter(state="dead").count() == 2
    refused = receiver.raw[-1]
    receiver.answer = lambda events: (200, {})
    services.send_again(sink, acting_user=SYSTEM)
    assert run(sink) == 2
    sources = [(event["source"], event["project"]) for event in events_of(receiver)]
    ids = [str(project.pk), str(beer.endpoint.project_id)]
    assert sources == [(f"/projects/{id_}", id_) for id_ in ids]
    assert json.loads(refused)[0] == list(events_of(receiver))[1], "byte for byte the same event"


def test_a_refused_event_holds_up_its_key_alone_and_is_sent_again_in_order(
    sink: Sink, receiver: Receiver, deployment: Deployment, beer: Deployment
) -> None:
    run(sink)
    bad, good = asked(deployment, beer)
    receiver.answer = lambda events: (400 if any(e["id"] == f"{bad.hex}.request" for e in events) else 200, {})
    assert run(sink) == 2
    assert receiver.taken == [f"{good.hex}.request", f"{good.hex}.answer"]
    assert [letter.state for letter in DeadLetter.objects.order_by("position", "part")] == ["dead", "held"]
    receiver.answer = lambda events: (200, {})
    assert services.send_again(sink, acting_user=SYSTEM) == 2
    assert run(sink) == 2
    assert receiver.taken[-2:] == [f"{bad.hex}.request", f"{bad.hex}.answer"]


def test_it_may_ask_for_some_endpoints_of_any_of_its_projects(
    workspace: Workspace, receiver: Receiver, deployment: Deployment, beer: Deployment, elsewhere: Deployment
) -> None:
    sink = made(workspace, receiver, endpoint_ids=[beer.endpoint_id])
    _, wanted = asked(deployment, beer)
    assert run(sink) == 2
    assert receiver.taken[0] == f"{wanted.hex}.request"
    with pytest.raises(ValidationFailed, match="The workspace has no endpoint"):
        services.change_sink(sink, endpoint_ids=[elsewhere.endpoint_id], acting_user=SYSTEM)


def test_a_workspace_has_one_thread_beside_those_of_its_projects(
    workspace: Workspace, project: Project, receiver: Receiver, deployment: Deployment
) -> None:
    of_workspace = {made(workspace, receiver, name=name).pk for name in ("one", "two")}
    own, _ = create_sink(project, name="own", url=receiver.url, acting_user=SYSTEM)
    asked(deployment)
    ordering.tick()
    waiting = due()
    assert waiting == {**dict.fromkeys(of_workspace, workspace.pk), own.pk: project.pk}
    chosen = Deliverer()._next(waiting)
    assert own.pk in chosen
    assert len(chosen.keys() & of_workspace) == 1


def test_its_administrators_alone_see_and_manage_it(
    sink: Sink, workspace: Workspace, ann: User, dot: User, auditor: User, admin: User, api: Callable[[User], Any]
) -> None:
    own, listed = f"/api/v1/event-sinks/{sink.pk}/", f"/api/v1/workspaces/{workspace.pk}/event-sinks/"
    for person, of_sink, of_list in ((ann, 404, 403), (auditor, 404, 403), (dot, 200, 200), (admin, 200, 200)):
        client = api(person)
        assert client.get(own).status_code == of_sink, person
        assert client.get(listed).status_code == of_list, person
        assert client.patch(own, {"description": "x"}, content_type=JSON).status_code == of_sink
    for person, error in ((ann, PermissionRefused), (auditor, PermissionRefused)):
        with pytest.raises(error):
            create_sink(workspace, name="mine", url="https://example.org/", acting_user=Actor.person(person))
    stranger = User.objects.create(username="nobody")
    with pytest.raises(NotFound):
        services.pause_sink(sink, acting_user=Actor.person(stranger))


def test_over_rest_from_its_making_to_its_removal(
    workspace: Workspace, dot: User, api: Callable[[User], Any], receiver: Receiver
) -> None:
    client, listed = api(dot), f"/api/v1/workspaces/{workspace.pk}/event-sinks/"
    body = {"name": "lake", "url": f"{receiver.url}?token=s3cr3t"}
    answer = client.post(listed, body, content_type=JSON)
    assert (answer.status_code, answer.json()["workspace"], answer.json()["project"]) == (201, str(workspace.pk), None)
    assert answer.json()["secret"].startswith("whsec_")
    assert client.post(listed, body, content_type=JSON).status_code == 409
    assert [each["name"] for each in client.get(listed).json()["results"]] == ["lake"]
    own = f"/api/v1/event-sinks/{answer.json()['id']}/"
    assert client.post(f"{own}test/", content_type=JSON).json()["taken"] is True
    ((event,), _) = receiver.bodies[0]
    assert event["source"] == f"/workspaces/{workspace.pk}"
    assert client.delete(own).status_code == 204
    rows = AuditEvent.objects.filter(target_kind="event sink").order_by("id")
    assert [row.action for row in rows] == ["event-sink.created", "event-sink.tested", "event-sink.removed"]
    assert {(row.workspace_id, row.project_id) for row in rows} == {(workspace.pk, None)}
    assert "s3cr3t" not in json.dumps([row.after for row in rows])


def test_on_pages(
    workspace: Workspace,
    project: Project,
    dot: User,
    ann: User,
    receiver: Receiver,
    deployment: Deployment,
    beer: Deployment,
    browser_client: Callable[[User], Any],
) -> None:
    page, member = browser_client(dot), browser_client(ann)
    own = f"/workspaces/{workspace.pk}/events/"
    assert own in page.get(f"/workspaces/{workspace.pk}/members/").content.decode()
    assert own not in member.get(f"/workspaces/{workspace.pk}/members/").content.decode()
    assert member.get(own).status_code == 403
    new = f"/workspaces/{workspace.pk}/event-sinks/new/"
    assert new in page.get(own).content.decode()
    form = page.get(new).content.decode()
    assert "all projects of the workspace" in form
    assert str(beer.endpoint_id) in form
    body = {"name": "lake", "url": receiver.url, "mode": "batch", "start": "oldest", "families": ["request"]}
    assert "whsec_" in page.post(new, body).content.decode()
    sink = Sink.objects.get()
    assert sink.workspace == workspace
    first, second = asked(deployment, beer)
    assert run(sink) == 2
    shown = page.get(f"/event-sinks/{sink.pk}/").content.decode()
    assert f"all projects of {workspace.name}" in shown
    assert 'aria-current="page"' in shown
    listed = page.get(own).content.decode()
    assert f"{first.hex}.request" in listed
    assert f"{second.hex}.request" in listed
    assert "1 sink of the whole workspace" in member.get(f"/projects/{project.pk}/events/").content.decode()
    assert page.post(f"/event-sinks/{sink.pk}/remove/").headers["Location"] == own


def test_a_sink_is_of_one_of_the_two_and_a_workspace_has_twenty_at_most(
    sink: Sink, workspace: Workspace, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(IntegrityError, match="event_sink_of_one"), transaction.atomic():
        Sink.objects.filter(pk=sink.pk).update(project=project)
    with pytest.raises(IntegrityError, match="event_sink_of_one"), transaction.atomic():
        Sink.objects.filter(pk=sink.pk).update(workspace=None)
    with pytest.raises(Conflict, match="The workspace has a sink called all already"):
        made(workspace, receiver)
    monkeypatch.setattr(services, "MOST_SINKS", 1)
    with pytest.raises(QuotaExceeded, match="The workspace has 1 sinks already"):
        made(workspace, receiver, name="another")
    create_sink(project, name="all", url=receiver.url, acting_user=SYSTEM)
