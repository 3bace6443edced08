"""What the forms of endpoints say before somebody presses a button: which versions the gate refuses, where one is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from models.endpoints import services
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.endpoints.test_services import version_of
from tests.endpoints.test_stages import live
from tests.models_support import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(ann: User, bob: User, cid: User) -> Project:
    return make_project("wine", ann="admin", bob="contributor", cid="contributor")


@pytest.fixture
def endpoint(project: Project) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.system("tests"))


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_versions_are_told_apart_by_what_the_gate_will_say(
    endpoint: Endpoint,
    project: Project,
    ann: User,
    approve: Callable[[ModelVersion], None],
    browser_client: Callable[[User], Client],
) -> None:
    client = browser_client(ann)
    first, second = version_of(project, 1), version_of(project, 2)
    ModelVersion.objects.update(algorithm_name="", flavor="")
    deploy = f"/endpoints/{endpoint.pk}/deploy/"
    page = shown(client, deploy)
    assert "<optgroup" not in page
    assert "wine version 1<" in page
    assert "()" not in page
    approve(first)
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    page = shown(client, f"{deploy}?version={second.pk}")
    groups = re.findall(r'<optgroup label="([^"]+)">(.*?)</optgroup>', page, re.S)
    assert [(name, str(first.pk) in inner, str(second.pk) in inner) for name, inner in groups] == [
        ("Approved for production", True, False),
        ("Not approved for production", False, True),
    ]
    assert "a version that is not approved for it is refused" in page
    assert "wine version 2 has not passed yet: Tests, Replay gate, Model card." in page
    assert f"/model-versions/{second.pk}/approval/" in page
    live(services.deploy(endpoint, model_version=first, acting_user=Actor.person(ann)))
    page = shown(client, f"/endpoints/{endpoint.pk}/rollouts/new/?version={second.pk}")
    assert 'label="Not approved for production"' in page
    assert "A shadow needs no approval." in page
    assert "50 % for 7 days" in page
    assert "10080" not in page


@pytest.mark.parametrize(
    ("address", "crumb"), [("settings", "Settings"), ("availability/replicas", "Replicas"), ("routing", "Routing")]
)
def test_the_way_to_a_form_ends_in_what_it_is_and_not_in_its_button(
    address: str,
    crumb: str,
    endpoint: Endpoint,
    project: Project,
    ann: User,
    browser_client: Callable[[User], Client],
) -> None:
    live(services.deploy(endpoint, model_version=version_of(project, 1), acting_user=Actor.person(ann)))
    found = shown(browser_client(ann), f"/endpoints/{endpoint.pk}/{address}/")
    way = found[found.index('aria-label="Breadcrumb"') :].split("</nav>")[0]
    last = re.sub(r"<[^>]+>", " ", way).split()[-1]
    assert last == crumb
