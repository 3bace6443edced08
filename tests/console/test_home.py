"""The start page: everyone sees what is theirs and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from modelwright.accounts.models import User
from tests.matrix.world import World, build

MakeClient = Callable[[User], Client]


@pytest.fixture
def world(db: None) -> World:
    return build()


def overview(client: Client) -> Any:
    response = client.get("/")
    assert response.status_code == 200
    return response.context["overview"]


@pytest.mark.parametrize("role", ["viewer", "workspace-admin", "auditor", "site-admin"])
def test_who_may_see_the_project_sees_its_runs_and_endpoints(
    world: World, browser_client: MakeClient, role: str
) -> None:
    shown = overview(browser_client(world.people[role]))
    assert [project.name for project in shown.projects] == ["taken-over", "churn"]
    assert [run.name for run in shown.runs] == ["check", "nightly"]
    # Two of them are in the middle of a rollout.
    serving = {one.endpoint.path: one.live.number for one in shown.serving}
    assert serving == {"acme/churn": 2, "acme/slowly": 2, "acme/waiting": 2}
    assert {label: value for label, value, _ in shown.tiles}["Endpoints that serve"] == 3


def test_a_member_without_the_project_sees_only_the_workspace(world: World, browser_client: MakeClient) -> None:
    shown = overview(browser_client(world.people["workspace-member"]))
    assert [workspace.name for workspace in shown.workspaces] == ["acme"]
    assert (shown.projects, shown.runs, shown.serving) == ([], [], [])


def test_a_stranger_is_told_what_to_do(world: World, browser_client: MakeClient) -> None:
    page = browser_client(world.people["stranger"]).get("/").content.decode()
    assert "Ask an administrator to add you" in page
    assert "churn" not in page
    assert "acme" not in page


def test_the_number_of_queries_does_not_grow_with_the_rows(
    world: World, browser_client: MakeClient, django_assert_max_num_queries: Any
) -> None:
    client = browser_client(world.people["site-admin"])
    with django_assert_max_num_queries(16):
        client.get("/")
