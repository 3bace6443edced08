"""Fixtures: an endpoint with a target, and what gateways counted of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from models.availability.models import AvailabilityMinute
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from models.endpoints.services import create_endpoint
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.models_support import make_project

Count = Callable[..., None]


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """The project's administrator."""
    return make_user("ann")


@pytest.fixture
def endpoint(ann: User) -> Endpoint:
    """One that promises 99.9 %."""
    actor = Actor.person(ann)
    made = create_endpoint(project=make_project("wine", ann="admin"), name="wine", acting_user=actor)
    return change_endpoint(made, availability_target=99.9, acting_user=actor)


@pytest.fixture
def count(endpoint: Endpoint) -> Count:
    """What was counted so long ago: `count(timedelta(hours=1), answered=100, failed=1)`."""

    def add(ago: timedelta, source: str = "g", *, answered: int = 0, refused: int = 0, failed: int = 0) -> None:
        at: datetime = (timezone.now() - ago).replace(second=0, microsecond=0)
        AvailabilityMinute.objects.create(
            endpoint_id=endpoint.pk, minute=at, source=source, answered=answered, refused=refused, failed=failed
        )

    return add
