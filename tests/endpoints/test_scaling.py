"""Bounds of replicas, targets, and the number that load speaks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.endpoints import services
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from models.endpoints.scaling import set_wanted_replicas
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import NotFound, ValidationFailed
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
LOAD = Actor.system("tests")


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    return make_user("ann")


@pytest.fixture
def endpoint(ann: User) -> Endpoint:
    return services.create_endpoint(
        project=make_project("wine", ann="admin"), name="wine", acting_user=Actor.person(ann)
    )


def test_new_bounds_take_the_wanted_number_with_them(endpoint: Endpoint, ann: User) -> None:
    actor = Actor.person(ann)
    endpoint = change_endpoint(endpoint, min_replicas=2, max_replicas=4, acting_user=actor)
    assert endpoint.wanted_replicas == 2
    assert set_wanted_replicas(endpoint, 9, reason="much to do", evidence={"concurrency": 80}, acting_user=LOAD)
    endpoint.refresh_from_db()
    assert endpoint.wanted_replicas == 4, "never more than the endpoint may have"
    assert not set_wanted_replicas(endpoint, 5, reason="more", evidence={}, acting_user=LOAD)
    endpoint = change_endpoint(endpoint, max_replicas=3, reason="dear", acting_user=actor)
    assert endpoint.wanted_replicas == 3
    scaled = AuditEvent.objects.get(action="endpoint.scaled")
    assert (scaled.before, scaled.after) == ({"replicas": 2}, {"replicas": 4, "concurrency": 80})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"min_replicas": 3}, "min_replicas"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas"),
        ({"max_replicas": 101}, "max_replicas"),
        ({"min_replicas": 0}, "min_replicas"),
        ({"target_concurrency": 0}, "target_concurrency"),
        ({"target_queue_ms": float("nan")}, "target_queue_ms"),
        ({"availability_target": 100}, "availability_target"),
        ({"availability_target": 10}, "availability_target"),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_field(
    endpoint: Endpoint, ann: User, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        change_endpoint(endpoint, **changes, acting_user=Actor.person(ann))
    assert [each.field for each in refused.value.errors] == [field]
    assert refused.value.remedy


def test_a_stopped_endpoint_is_not_scaled_and_a_stranger_changes_nothing(
    endpoint: Endpoint, ann: User, stranger: User
) -> None:
    change_endpoint(endpoint, max_replicas=4, availability_target=99.9, acting_user=Actor.person(ann))
    with pytest.raises(NotFound):
        change_endpoint(endpoint, max_replicas=9, acting_user=Actor.person(stranger))
    Endpoint.objects.filter(pk=endpoint.pk).update(state="stopped")
    assert not set_wanted_replicas(endpoint, 3, reason="", evidence={}, acting_user=LOAD)
