"""Usage: who sees what of whose, by what, in pages, CSV and REST."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import Host, Workload
from modelwright.compute.services import set_rates
from modelwright.console.usage import answer, ask, chart
from modelwright.core.errors import ValidationFailed
from projects.models import Project
from tests.console.usage_support import WEEK, project, workload, workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_user: Any) -> User:
    made: User = make_user("ann")
    return made


@pytest.fixture
def churn(ann: User) -> Project:
    """A project that ann may see, with 3 CPU-hours."""
    made = project(workspace("sales", ann), "churn", ann)
    workload(made, hours=1)
    workload(made, hours=2, created_by="bob", gpus=1)
    return made


@pytest.fixture
def secret(churn: Project) -> Project:
    """Another of the workspace, that ann is not in, with 5 CPU-hours."""
    made = project(churn.workspace, "secret")
    workload(made, hours=5, created_by="bob")
    return made


@pytest.fixture
def elsewhere() -> Project:
    """One of another workspace, with 7 CPU-hours."""
    made = project(workspace("research"), "genes")
    workload(made, hours=7, created_by="eve")
    return made


def rows(viewer: User, **params: str) -> dict[str, float]:
    found = answer(viewer, ask(viewer, {**WEEK, **params}))
    return {row.name.label: round(row.usage.cpu_hours, 6) for row in found.rows}


@pytest.mark.usefixtures("secret", "elsewhere")
def test_a_member_sees_their_workspace_and_no_names_of_projects_that_they_are_not_in(ann: User) -> None:
    assert rows(ann) == {"sales / churn": 3.0, "Others, which you may not see": 5.0}
    assert rows(ann, by="person") == {"ann": 1.0, "bob": 7.0}
    assert rows(ann, by="workspace") == {"sales": 8.0}


@pytest.mark.usefixtures("churn", "secret", "elsewhere")
def test_site_roles_see_everything(admin: User, auditor: User) -> None:
    workload(kind="environment", created_by="environments")
    for viewer in (admin, auditor):
        assert rows(viewer) == {
            "sales / churn": 3.0,
            "sales / secret": 5.0,
            "research / genes": 7.0,
            "Of no project, such as shared builds": 1.0,
        }
        assert rows(viewer, by="kind") == {"Run": 15.0, "Environment build": 1.0}


@pytest.mark.usefixtures("churn")
def test_a_stranger_sees_nothing_and_may_not_ask_for_others(stranger: User, churn: Project, api: Any) -> None:
    assert rows(stranger) == {}
    for name, value in (("workspace", churn.workspace_id), ("project", churn.pk)):
        assert api(stranger).get(f"/api/v1/usage/?{name}={value}").status_code == 404


def test_a_project_of_the_workspace_that_one_is_not_in_cannot_be_asked_for(
    ann: User, secret: Project, api: Any
) -> None:
    assert api(ann).get(f"/api/v1/usage/?project={secret.pk}").status_code == 404


def test_by_host(ann: User, churn: Project) -> None:
    host = Host.objects.create(name="big", cpu=64, memory_bytes=2**38)
    Workload.objects.filter(created_by="bob").update(host=host)
    assert rows(ann, by="host") == {"big": 2.0, "None": 1.0}


@pytest.mark.usefixtures("churn")
def test_the_api_answers_hours_and_costs(ann: User, admin: User, api: Any) -> None:
    client = api(ann)
    body = client.get("/api/v1/usage/?by=person&since=2026-03-01&until=2026-03-08").json()
    assert body["currency"] is None
    assert body["results"][0] == {
        "key": "bob",
        "name": "bob",
        "cpu_hours": 2.0,
        "gib_hours": 4.0,
        "gpu_hours": 2.0,
        "hours": 2.0,
        "workloads": 1,
        "cost": None,
    }
    prices = {"currency": "EUR", "cpu_hour": "0.04", "gib_hour": "0.005", "gpu_hour": "2.5"}
    assert client.put("/api/v1/usage/rates/", prices, content_type="application/json").status_code == 403
    answer = api(admin).put("/api/v1/usage/rates/", prices, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert client.get("/api/v1/usage/rates/").json()["gpu_hour"] == "2.500000"
    body = client.get("/api/v1/usage/?by=person&since=2026-03-01&until=2026-03-08").json()
    assert body["currency"] == "EUR"
    assert body["results"][0]["cost"] == pytest.approx(2 * 0.04 + 4 * 0.005 + 2 * 2.5)
    assert body["total"]["cost"] == pytest.approx(3 * 0.04 + 6 * 0.005 + 2 * 2.5)
    assert (AuditEvent.objects.get(action="usage-rates.set").after or {})["gpu_hour"] == "2.500000"


@pytest.mark.parametrize(
    "query",
    ["by=moon", "workspace=x", "since=yesterday", "since=2026-03-02&until=2026-03-01", "since=1990-01-01"],
)
def test_a_malformed_question_is_refused_over_rest_and_mended_on_the_page(
    stranger: User, api: Any, browser_client: Any, query: str
) -> None:
    assert api(stranger).get(f"/api/v1/usage/?{query}").status_code == 422
    page = browser_client(stranger).get(f"/usage/?{query}")
    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "field"), [({"cpu_hour": Decimal(-1)}, "cpu_hour"), ({"currency": "=1+1"}, "currency")]
)
def test_prices_are_checked(admin: User, changes: dict[str, Any], field: str) -> None:
    prices: dict[str, Any] = dict.fromkeys(("cpu_hour", "gib_hour", "gpu_hour"), Decimal(0)) | {"currency": "EUR"}
    with pytest.raises(ValidationFailed) as error:
        set_rates(**{**prices, **changes}, acting_user=Actor.person(admin))
    assert [each.field for each in error.value.errors] == [field]


@pytest.mark.usefixtures("secret")
def test_the_page_shows_totals_rows_and_prices_to_set_for_administrators(
    ann: User, admin: User, browser_client: Any, churn: Project
) -> None:
    page = browser_client(ann).get(
        f"/usage/?workspace={churn.workspace_id}&since=2026-03-01&until=2026-03-08&sort=name"
    )
    text = page.content.decode()
    assert "sales / churn" in text
    assert "8.00" in text
    assert f"project={churn.pk}" in text
    assert "secret" not in text
    assert "/usage/rates/" not in text
    assert browser_client(ann).get("/usage/rates/").status_code == 403
    client = browser_client(admin)
    assert client.post("/usage/rates/", {"currency": "EUR", "cpu_hour": "x"}).status_code == 422
    values = {"currency": "EUR", "cpu_hour": "1", "gib_hour": "0", "gpu_hour": "0"}
    assert client.post("/usage/rates/", values).status_code == 302
    assert "Cost in EUR" in client.get("/usage/?since=2026-03-01&until=2026-03-08").content.decode()


@pytest.mark.usefixtures("secret")
def test_a_project_can_be_asked_for_by_person(ann: User, browser_client: Any, churn: Project) -> None:
    assert rows(ann, project=str(churn.pk), by="person") == {"ann": 1.0, "bob": 2.0}
    page = browser_client(ann).get(f"/usage/?project={churn.pk}&by=person&since=2026-03-01&until=2026-03-08")
    assert "Only the project churn" in page.content.decode()


@pytest.mark.usefixtures("churn", "secret")
def test_the_csv_file_holds_the_rows(ann: User, browser_client: Any) -> None:
    Workload.objects.filter(created_by="bob").update(created_by="=HYPERLINK(1)")
    response = browser_client(ann).get("/usage/export.csv?by=person&since=2026-03-01&until=2026-03-08")
    found = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["name"], row["cpu_hours"], row["workloads"]) for row in found] == [
        ("'=HYPERLINK(1)", "7.000000", "2"),
        ("ann", "1.000000", "1"),
    ]


@pytest.mark.usefixtures("churn", "secret", "elsewhere")
def test_the_chart_adds_up_to_the_total(ann: User, admin: User) -> None:
    for viewer, hours in ((ann, 8.0), (admin, 15.0)):
        for until in ("2026-03-03", "2026-03-08"):
            drawn = chart(viewer, ask(viewer, {**WEEK, "until": until}), "cpu")
            assert sum(sum(line["y"]) for line in drawn["series"]) == pytest.approx(hours)
            assert all(len(line["x"]) == len(line["y"]) for line in drawn["series"])
    assert {line["label"] for line in chart(ann, ask(ann, WEEK), "cpu")["series"]} == {"sales / churn", "Others"}
    assert chart(ann, ask(ann, {"since": "2020-01-01", "until": "2020-01-02"}), "cpu")["series"] == []
