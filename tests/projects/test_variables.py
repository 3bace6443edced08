"""Variables and secrets of a project: who may what, what is refused, and that nobody is shown a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.core.crypto import decrypt
from modelwright.core.errors import ValidationFailed
from projects.models import Variable
from projects.variables import services
from projects.variables.giving import environment_of
from projects.variables.names import why_reserved
from projects.variables.services import set_variable
from tests.projects.conftest import Cast

JSON = "application/json"
VALUE = "correct horse battery"
SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.django_db


def _url(cast: Cast, name: str = "") -> str:
    return f"/api/v1/projects/{cast.project.pk}/variables/{f'{name}/' if name else ''}"


def _page(cast: Cast, path: str = "") -> str:
    return f"/projects/{cast.project.pk}/variables/{path}"


@pytest.mark.parametrize(
    "name",
    ["PATH", "path", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "MLFLOW_X", "MODELWRIGHT_RUN_ID", "BASH_ENV", "HOME"],
)
def test_reserved_names_are_refused_with_the_reason(api: Any, cast: Cast, name: str) -> None:
    refused = api(cast.contributor).put(_url(cast, name), {"value": VALUE}, content_type=JSON)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["message"].startswith(f"The variable {name} ")
    assert VALUE not in refused.content.decode()


def test_a_name_that_was_free_once_does_not_reach_a_workload(cast: Cast) -> None:
    variable = set_variable(cast.project, name="FREE", value="x", acting_user=SYSTEM)
    Variable.objects.filter(pk=variable.pk).update(name="PYTHONSTARTUP")
    assert why_reserved("PYTHONSTARTUP")
    given = environment_of(cast.project)
    assert (given.variables, given.names) == ({}, ())


def test_who_may_see_names_and_who_may_set(api: Any, cast: Cast) -> None:
    set_variable(cast.project, name="API_KEY", value=VALUE, acting_user=SYSTEM)
    for role in ("viewer", "operator", "contributor", "owner", "boss", "auditor", "admin"):
        seen = api(cast.person(role)).get(_url(cast, "API_KEY"))
        assert (seen.status_code, seen.json()["value"]) == (200, None), role
    for role, status in {"viewer": 403, "operator": 403, "auditor": 403, "bystander": 404, "stranger": 404}.items():
        client = api(cast.person(role))
        assert client.put(_url(cast, "B"), {"value": "1"}, content_type=JSON).status_code == status
        assert client.patch(_url(cast, "API_KEY"), {"description": "x"}, content_type=JSON).status_code == status
        assert client.delete(_url(cast, "API_KEY")).status_code == status


def test_a_change_that_nobody_has_seen_is_not_overwritten_and_the_value_stays(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    made = client.put(_url(cast, "API_KEY"), {"value": VALUE, "delivery": "file"}, content_type=JSON)
    tag = made.headers["ETag"]
    changed = client.patch(_url(cast, "API_KEY"), {"description": "of the lake"}, content_type=JSON, HTTP_IF_MATCH=tag)
    assert changed.status_code == 200
    assert (changed.json()["delivery"], changed.json()["revision"]) == ("file", 2)
    late = client.patch(_url(cast, "API_KEY"), {"value": "other"}, content_type=JSON, HTTP_IF_MATCH=tag)
    assert late.status_code == 412
    assert decrypt(Variable.objects.get().value) == VALUE


def test_a_secret_becomes_plain_with_a_new_value_only(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    client.put(_url(cast, "API_KEY"), {"value": VALUE}, content_type=JSON)
    refused = client.patch(_url(cast, "API_KEY"), {"is_secret": False}, content_type=JSON)
    assert refused.status_code == 422
    assert client.get(_url(cast, "API_KEY")).json()["value"] is None
    opened = client.patch(_url(cast, "API_KEY"), {"is_secret": False, "value": "open"}, content_type=JSON)
    assert opened.json()["value"] == "open"
    rows = json.dumps(list(AuditEvent.objects.values("before", "after")), default=str)
    assert VALUE not in rows
    assert "value_changed" in rows


def test_no_page_shows_a_secret_not_even_with_an_error(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.contributor)
    for name in ("PATH", "1A", "A" * 129):
        back = client.post(_page(cast), {"name": name, "value": VALUE, "is_secret": "on"})
        assert back.status_code == 422
        assert VALUE not in back.content.decode()
    client.post(_page(cast), {"name": "API_KEY", "value": VALUE, "is_secret": "on", "delivery": "file"})
    for path in ("", "API_KEY/", "API_KEY/edit/", "API_KEY/delete/", "?q=API&kind=secret&sort=-changed"):
        shown = client.get(_page(cast, path))
        assert shown.status_code == 200
        assert VALUE not in shown.content.decode()
    kept = client.post(_page(cast, "API_KEY/edit/"), {"value": "", "is_secret": "on", "description": "kept"})
    assert kept.status_code == 302
    variable = Variable.objects.get()
    assert (decrypt(variable.value), variable.description, variable.changed_by) == (VALUE, "kept", "contributor")
    back = client.post(_page(cast, "API_KEY/edit/"), {"value": "", "description": "opened"})
    assert back.status_code == 422
    client.post(_page(cast, "API_KEY/edit/"), {"value": "another one", "is_secret": "on"})
    assert decrypt(Variable.objects.get().value) == "another one"


def test_the_list_is_filtered_and_says_where_there_is_nothing(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.viewer)
    assert "No variables yet" in client.get(_page(cast)).content.decode()
    set_variable(cast.project, name="REGION", value="north", is_secret=False, acting_user=SYSTEM)
    assert "REGION" in client.get(_page(cast, "?kind=plain")).content.decode()
    assert 'variables/REGION/"' not in client.get(_page(cast, "?kind=secret")).content.decode()
    assert (
        "No secret was given to anybody yet"
        in client.get(f"/projects/{cast.project.pk}/secret-reads/").content.decode()
    )


def test_values_that_no_process_could_take_are_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("x" * 32_001, "a\0b"):
        with pytest.raises(ValidationFailed):
            set_variable(cast.project, name="A", value=value, acting_user=SYSTEM)
    monkeypatch.setattr(services, "MAX_TOGETHER", 300)
    set_variable(cast.project, name="A", value="x" * 50, acting_user=SYSTEM)
    with pytest.raises(ValidationFailed, match="together"):
        set_variable(cast.project, name="B", value="x" * 200, acting_user=SYSTEM)
    assert Variable.objects.count() == 1


def test_secrets_are_not_in_what_a_program_shows_of_itself(cast: Cast) -> None:
    set_variable(cast.project, name="API_KEY", value=VALUE, acting_user=SYSTEM)
    given = environment_of(cast.project)
    assert given.masked == (VALUE,)
    assert VALUE not in repr(given)
    assert VALUE not in repr(Variable.objects.get())
