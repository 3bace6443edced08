"""What lists are narrowed by behind the `?` of their address: a wrong word is refused by its name, not passed over."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from models.endpoints import services
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.conftest import ApiClient
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
ONE = str(UUID(int=1))
OF_ENDPOINT = "endpoints/{endpoint}"
# Address, name, and a value that is one.
FILTERS = [
    ("promotions/", "state", "approved"),
    ("promotions/", "stage", "production"),
    ("promotions/", "mine", "true"),
    ("consents/", "state", "revoked"),
    ("consents/", "endpoint", ONE),
    ("models/", "project", "{project}"),
    (f"{OF_ENDPOINT}/rollouts/", "state", "running"),
    (f"{OF_ENDPOINT}/replays/", "candidate", ONE),
    (f"{OF_ENDPOINT}/availability/alerts/", "state", "open"),
    (f"{OF_ENDPOINT}/feedback/", "matched", "true"),
    (f"{OF_ENDPOINT}/feedback/", "source", "key"),
    (f"{OF_ENDPOINT}/feedback/", "prediction", ONE),
    ("projects/{project}/events/", "family", "answer"),
]


def test_each_filter_takes_what_it_knows_and_names_itself_in_what_it_refuses(
    make_user: Callable[..., User], api: Callable[[User], ApiClient]
) -> None:
    ann = make_user("ann")
    project = make_project("wine", ann="admin")
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    client, names = api(ann), {"project": project.pk, "endpoint": endpoint.pk}
    for path, name, value in FILTERS:
        address = f"/api/v1/{path}".format(**names)
        for given in ("", value.format(**names)):
            answer = client.get(address, {name: given})
            assert answer.status_code == 200, (address, name, given, answer.content)
        refused = client.get(address, {name: "nonsense"})
        assert refused.status_code == 422, (address, name)
        assert [error["field"] for error in refused.json()["errors"]] == [name]
