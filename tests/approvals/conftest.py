"""Fixtures: a project with people in each part of an approval, and a version that one of them made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from jobs.models import Run
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import GIB, Workload
from projects.models import Project
from tests.models_support import make_project


@pytest.fixture
def people(make_user: Callable[..., User]) -> dict[str, User]:
    """ann made the version, bob asks for things, cid is a third contributor, dot administers, eve only looks."""
    return {name: make_user(name) for name in ("ann", "bob", "cid", "dot", "eve")}


@pytest.fixture
def actors(people: dict[str, User]) -> dict[str, Actor]:
    """The same people as actors."""
    return {name: Actor.person(user) for name, user in people.items()}


@pytest.fixture
def project(people: dict[str, User]) -> Project:
    """Their project."""
    return make_project("wine", ann="contributor", bob="contributor", cid="contributor", dot="admin", eve="viewer")


def made_by(project: Project, maker: User | None, number: int = 1, name: str = "wine") -> ModelVersion:
    """A ready version of a model, made by a run of this person, or by no run that is known."""
    run = None
    if maker is not None:
        workload = Workload.objects.create(
            kind=Workload.Kind.RUN, name="w", cpu=1, memory_bytes=GIB, spec={"command": ["true"]}, created_by="tests"
        )
        run = Run.objects.create(
            project=project,
            name="train",
            number=Run.objects.count() + 1,
            commit="0" * 40,
            script="train.py",
            workload=workload,
            token_digest=f"{Run.objects.count():064d}",
            token_died_at=timezone.now(),
            trigger=Run.Trigger.HAND,
            created_by=maker,
        )
    model, _ = RegisteredModel.objects.get_or_create(project=project, name=name)
    version: ModelVersion = ModelVersion.objects.create(
        model=model, number=number, state="ready", source="models:/m-0", source_run_id=run.pk if run else None
    )
    return version


@pytest.fixture
def version(project: Project, people: dict[str, User]) -> ModelVersion:
    """Version 1, made by ann's run."""
    return made_by(project, people["ann"])
