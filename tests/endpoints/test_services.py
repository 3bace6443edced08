"""Who may ask for what, and what a request leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.endpoints import selectors, services, transitions
from models.endpoints.models import Deployment, Endpoint, EndpointKey
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, ValidationFailed
from projects.models import Project, ProjectMembership
from tests.models_support import make_project

pytestmark = pytest.mark.django_db


def version_of(project: Project, number: int = 1, state: str = "ready") -> ModelVersion:
    model, _ = RegisteredModel.objects.get_or_create(project=project, name="wine")
    version: ModelVersion = ModelVersion.objects.create(model=model, number=number, state=state, source="x")
    return version


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


def make_live(deployment: Deployment) -> None:
    live = selectors.live_deployment(deployment.endpoint)
    if live is not None:
        transitions.supersede(live)
    transitions.start(deployment)
    assert transitions.go_live(deployment)


def test_names_are_unique_in_a_workspace_and_well_formed(endpoint: Endpoint, ann: User) -> None:
    other = make_project("other", ann="admin")
    with pytest.raises(Conflict):
        services.create_endpoint(project=other, name="wine", acting_user=Actor.person(ann))
    with pytest.raises(ValidationFailed):
        services.create_endpoint(project=other, name="Not a name", acting_user=Actor.person(ann))
    elsewhere = make_project("third", workspace="globex", ann="admin")
    assert services.create_endpoint(project=elsewhere, name="wine", acting_user=Actor.person(ann)).path == "globex/wine"


def test_deployments_are_numbered_and_audited(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    first = services.deploy(endpoint, model_version=version_of(project, 1), reason="first", acting_user=actor)
    second = services.deploy(endpoint, model_version=version_of(project, 2), acting_user=actor)
    assert (first.number, second.number) == (1, 2)
    event = AuditEvent.objects.filter(action=AuditAction.DEPLOYMENT_CREATED).earliest("id")
    assert (event.actor_name, event.actor_role, event.reason) == ("ann", "project admin", "first")
    assert event.after is not None
    assert event.after["versions"][0]["version"] == "wine version 1"


def test_only_ready_versions_of_the_same_project_are_deployed(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    with pytest.raises(Conflict):
        services.deploy(endpoint, model_version=version_of(project, 1, "failed"), acting_user=actor)
    with pytest.raises(ValidationFailed):
        services.deploy(endpoint, model_version=version_of(make_project("other")), acting_user=actor)
    assert not Deployment.objects.exists()


def test_a_rollback_repeats_the_one_before_and_needs_a_reason(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    first = services.deploy(endpoint, model_version=version_of(project, 1), acting_user=actor)
    make_live(first)
    with pytest.raises(Conflict, match="nothing else before"):
        services.rollback(endpoint, reason="it is wrong", acting_user=actor)
    second = services.deploy(endpoint, model_version=version_of(project, 2), acting_user=actor)
    make_live(second)
    for empty in ("", "  \n"):
        with pytest.raises(ValidationFailed) as caught:
            services.rollback(endpoint, reason=empty, acting_user=actor)
        assert caught.value.errors[0].field == "reason"
    third = services.rollback(endpoint, reason="it is wrong", acting_user=actor)
    assert (third.kind, third.repeats, third.number) == ("rollback", first, 3)
    assert [target.model_version.number for target in third.targets.all()] == [1]
    event = AuditEvent.objects.get(action=AuditAction.ROLLBACK_REQUESTED)
    assert event.reason == "it is wrong"
    assert event.before is not None
    assert event.before["versions"][0]["version"] == "wine version 2"


def test_a_rollback_does_not_go_to_what_never_served(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    failed = services.deploy(endpoint, model_version=version_of(project, 1), acting_user=actor)
    transitions.fail(failed, detail="broken")
    live = services.deploy(endpoint, model_version=version_of(project, 2), acting_user=actor)
    make_live(live)
    for to in (failed, live, None):
        with pytest.raises(Conflict):
            services.rollback(endpoint, to=to, reason="why not", acting_user=actor)


def test_a_rollback_to_what_serves_is_refused_unless_it_calls_off_what_is_on_its_way(
    endpoint: Endpoint, project: Project, ann: User
) -> None:
    actor = Actor.person(ann)
    live = services.deploy(endpoint, model_version=version_of(project, 1), acting_user=actor)
    make_live(live)
    live.refresh_from_db()
    with pytest.raises(Conflict, match="is what serves now"):
        services.rollback(endpoint, to=live, reason="why not", acting_user=actor)
    services.deploy(endpoint, model_version=version_of(project, 2), acting_user=actor)
    assert services.rollback(endpoint, to=live, reason="not that one", acting_user=actor).repeats == live


def test_keys_are_kept_as_digests_and_revoked_once(endpoint: Endpoint, ann: User) -> None:
    actor = Actor.person(ann)
    key, text = services.create_key(endpoint, name="shop", acting_user=actor)
    assert text.startswith("mwk_")
    assert EndpointKey.objects.get(pk=key.pk).digest == token_digest(text)
    assert list(selectors.keys_of(endpoint)) == [key]
    services.revoke_key(key, acting_user=actor)
    services.revoke_key(key, acting_user=actor)
    assert AuditEvent.objects.filter(action=AuditAction.ENDPOINT_KEY_REVOKED).count() == 1


def test_stopping_ends_what_is_live_or_on_its_way(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    make_live(services.deploy(endpoint, model_version=version_of(project, 1), acting_user=actor))
    services.deploy(endpoint, model_version=version_of(project, 2), acting_user=actor)
    services.stop(endpoint, acting_user=actor)
    services.stop(endpoint, acting_user=actor)
    assert set(Deployment.objects.values_list("state", flat=True)) == {"superseded"}
    assert AuditEvent.objects.filter(action=AuditAction.ENDPOINT_STOPPED).count() == 1
    services.deploy(endpoint, model_version=version_of(project, 3), acting_user=actor)
    endpoint.refresh_from_db()
    assert endpoint.state == "active"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", set()),
        ("operator", {"rollback"}),
        ("contributor", {"rollback", "deploy", "create"}),
        ("admin", {"rollback", "deploy", "create", "key", "stop"}),
    ],
)
def test_roles(
    endpoint: Endpoint, project: Project, ann: User, make_user: Callable[..., User], role: str, allowed: set[str]
) -> None:
    for number in (1, 2):
        version = version_of(project, number)
        make_live(services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann)))
    bob = make_user("bob")
    make_project("scratch", bob="admin")
    member = bob.workspace_memberships.get()
    ProjectMembership.objects.create(project=project, user=bob, workspace_membership=member, role=role)
    actor = Actor.person(bob)
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: services.create_endpoint(project=project, name="second", acting_user=actor),
        "deploy": lambda: services.deploy(endpoint, model_version=version, acting_user=actor),
        "rollback": lambda: services.rollback(endpoint, reason="tried", acting_user=actor),
        "key": lambda: services.create_key(endpoint, name="k", acting_user=actor),
        "stop": lambda: services.stop(endpoint, acting_user=actor),
    }
    for name, act in acts.items():
        if name in allowed:
            act()
        else:
            with pytest.raises(PermissionRefused):
                act()
    assert selectors.get_endpoint(bob, endpoint.pk) == endpoint


def test_strangers_do_not_learn_that_there_is_an_endpoint(endpoint: Endpoint, stranger: User) -> None:
    with pytest.raises(NotFound):
        selectors.get_endpoint(stranger, endpoint.pk)
    with pytest.raises(NotFound):
        services.deploy(endpoint, model_version=version_of(endpoint.project), acting_user=Actor.person(stranger))
    assert not selectors.endpoints(stranger).exists()


def test_an_auditor_sees_and_does_not_touch(endpoint: Endpoint, auditor: User) -> None:
    assert selectors.get_endpoint(auditor, endpoint.pk) == endpoint
    with pytest.raises(PermissionRefused):
        selectors.get_endpoint(auditor, endpoint.pk, Permission.ENDPOINT_ROLLBACK)


def test_nothing_here_touches_files(endpoint: Endpoint, data: Path) -> None:
    assert not (data / "gateway" / "routes.json").exists()
