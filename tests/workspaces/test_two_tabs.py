"""A form that was open in another tab does not undo what was saved meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from jobs.services import create_job
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.models_support import make_project
from workspaces.connection_services import create_data_connection

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]


@pytest.mark.parametrize("kind", ["workspace", "connection", "project", "job"])
def test_an_old_tab_is_refused_and_keeps_what_was_typed(browser_client: Browser, admin: User, kind: str) -> None:
    acting = Actor.person(admin)
    project = make_project("churn")
    workspace = project.workspace
    connection = create_data_connection(
        workspace, name="lake", kind="http", config={"url": "https://example.org/data"}, acting_user=acting
    )
    job = create_job(project, name="nightly", script="train.py", acting_user=acting)
    address = {
        "workspace": f"/workspaces/{workspace.pk}/settings/",
        "connection": f"/workspaces/{workspace.pk}/data-connections/{connection.pk}/",
        "project": f"/projects/{project.pk}/edit/",
        "job": f"/jobs/{job.pk}/edit/",
    }[kind]
    more = {"connection": {"config.url": "https://example.org/data"}, "job": {"script": "train.py", "is_active": "on"}}
    client = browser_client(admin)
    found = re.search(r'name="revision" value="(\d+)"', client.get(address).content.decode())
    assert found, "the form names what it was made of"
    form = {**more.get(kind, {}), "revision": found[1]}
    assert client.post(address, {**form, "description": "from the first tab"}).status_code == 302
    refused = client.post(address, {**form, "description": "from the second tab"})
    assert refused.status_code == 412
    content = refused.content.decode()
    assert "Somebody changed this after you read it." in content
    assert "from the second tab" in content
    assert "from the first tab" in client.get(address).content.decode()
