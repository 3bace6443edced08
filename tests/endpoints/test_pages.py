"""The pages of models, endpoints and predictions, in a real browser over real parts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from lineage import names
from lineage.services import EdgeSpec, add
from models.endpoints import services
from models.endpoints.models import Deployment, Endpoint
from models.predictions import shipping
from models.registry import services as registry
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.ids import new_id
from projects.models import Project
from tests.gateway.processes import Gateway
from tests.models_support import make_project, ready_version, wait_for
from tests.ui.browser import check_page, sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
SCREENSHOTS = os.environ.get("MODELWRIGHT_SCREENSHOTS")


def look(page: Page, name: str) -> None:
    """Check the page, and keep a picture where the environment asks for one."""
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)
    check_page(page)


def add_lineage_of(project: Project, version: ModelVersion) -> None:
    node = names.model_version(project.pk, version.pk, str(version), version.manifest_digest)
    run = names.run(project.pk, new_id(), "train #1")
    data = [names.file(project.pk, f"{name}.csv", name[0] * 64) for name in ("customers", "calls", "bills")]
    add(edges=[*(EdgeSpec(item, run, "read") for item in data), EdgeSpec(run, node, "trained", origin="observed")])


@pytest.fixture
def versions(project: Project, data: Path) -> list[ModelVersion]:
    made = [ready_version(project, model, number=number) for number, model in ((1, "one"), (2, "two"))]
    for version in made:
        version.metrics = {"accuracy": 0.912, "auc": None}
        version.parameters = {"C": "1.0"}
        version.algorithm = {
            "name": "Pipeline",
            "params": {},
            "children": [
                {"role": "columntransformer", "name": "ColumnTransformer", "params": {}, "children": []},
                {"role": "logisticregression", "name": "LogisticRegression", "params": {"C": 1.0}, "children": []},
            ],
        }
        version.save()
        add_lineage_of(project, version)
    registry.set_alias(made[0].model, name="champion", version=made[0], acting_user=Actor.system("tests"))
    return made


def test_from_a_model_to_a_rollback_in_the_browser(
    page: Page,
    live_server: LiveServer,
    ann: User,
    project: Project,
    versions: list[ModelVersion],
    gateway: Gateway,
    turn: Callable[[], bool],
    data: Path,
) -> None:
    def settled(number: int) -> bool:
        turn()
        return Deployment.objects.get(number=number).state == "live"

    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/models/?q=logistic")
    page.get_by_role("link", name="wine", exact=True).first.click()
    look(page, "model")
    page.get_by_role("link", name="1", exact=True).first.click()
    expect(page.get_by_role("heading", name="Lineage")).to_be_visible()
    look(page, "version")
    page.get_by_role("link", name="Deploy").click()
    page.get_by_role("link", name="New endpoint").click()
    page.get_by_label("Name").fill("wine")
    page.get_by_role("button", name="Make endpoint").click()
    look(page, "endpoint-empty")
    page.get_by_role("link", name="Deploy").first.click()
    page.get_by_label("Version").select_option(str(versions[0].pk))
    look(page, "deploy")
    page.get_by_role("button", name="Deploy").click()
    turn()
    look(page, "endpoint-starting")
    wait_for(lambda: settled(1))
    expect(page.locator("#serving .serving")).to_have_text("wine version 1", timeout=30_000)

    page.goto(page.url)
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("alcohol").fill("strong")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("Expected a number")).to_be_visible()
    look(page, "try-wrong")
    page.get_by_label("alcohol").fill("13.2")
    page.get_by_label("malic_acid").fill("")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("main .serving")).to_have_text(re.compile("one:"))
    look(page, "try")
    wait_for(lambda: shipping.ship_once(data / "gateway" / "spool"))
    page.get_by_text(re.compile("^[0-9a-f]{32}$")).click()
    expect(page.get_by_role("heading", name="Prediction", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="customers.csv").first).to_be_visible()
    look(page, "prediction")

    endpoint = Endpoint.objects.get()
    deployed = services.deploy(endpoint, model_version=versions[1], reason="more data", acting_user=Actor.person(ann))
    wait_for(lambda: settled(deployed.number))
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/")
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_label("Reason").fill("version 2 guesses worse")
    look(page, "rollback")
    page.get_by_role("button", name="Roll back").click()
    wait_for(lambda: settled(3))
    expect(page.locator("#serving .serving")).to_have_text("wine version 1", timeout=30_000)
    expect(page.get_by_text("“version 2 guesses worse”")).to_be_visible()
    expect(page.get_by_role("table").filter(has_text="Latency")).to_be_visible()
    look(page, "endpoint")
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("Name").fill("shop")
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_text(re.compile("^mwk_"))).to_be_visible()
    look(page, "key")
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/predictions/")
    look(page, "predictions")


def test_pages_fit_a_telephone_and_the_dark(
    narrow_page: Page,
    dark_page: Page,
    live_server: LiveServer,
    ann: User,
    project: Project,
    versions: list[ModelVersion],
) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    services.deploy(endpoint, model_version=versions[0], acting_user=Actor.person(ann))
    paths = [
        "/models/",
        f"/projects/{project.pk}/models/",
        f"/models/{versions[0].model_id}/",
        f"/model-versions/{versions[0].pk}/",
        "/endpoints/",
        f"/projects/{project.pk}/endpoints/",
        f"/endpoints/{endpoint.pk}/",
        f"/endpoints/{endpoint.pk}/predictions/",
        f"/endpoints/{endpoint.pk}/deploy/",
    ]
    for name, page in (("narrow", narrow_page), ("dark", dark_page)):
        sign_in(page, live_server.url, "ann")
        for index, path in enumerate(paths):
            page.goto(f"{live_server.url}{path}")
            look(page, f"{name}-{index}")


@pytest.mark.parametrize(
    ("state", "words"),
    [("importing", "Taking over"), ("failed", "cannot be deployed"), ("refused", "was refused")],
)
def test_a_version_that_is_not_ready_says_what_to_do(
    browser_client: Callable[[User], Client], ann: User, project: Project, data: Path, state: str, words: str
) -> None:
    version = registry.register(
        project=project, name="wine", number=1, source="models:/m-1", acting_user=Actor.system("tests")
    )
    ModelVersion.objects.filter(pk=version.pk).update(state=state, detail="the <b>reason</b>")
    content = browser_client(ann).get(f"/model-versions/{version.pk}/").content.decode()
    assert words in content
    assert "<b>reason</b>" not in content
    answer = browser_client(ann).get(f"/model-versions/{version.pk}/", headers={"HX-Request": "true"})
    assert answer.headers.get("HX-Refresh") == (None if state == "importing" else "true")


def test_what_a_role_may_not_do_is_not_offered(
    browser_client: Callable[[User], Client],
    ann: User,
    project: Project,
    versions: list[ModelVersion],
    make_user: Callable[..., User],
    stranger: User,
) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    auditor = make_user("eve", is_auditor=True)
    client = browser_client(auditor)
    content = client.get(f"/endpoints/{endpoint.pk}/").content.decode()
    assert "/deploy/" not in content
    assert "/keys/new/" not in content
    for path in ("deploy", "rollback", "stop", "try", "keys/new"):
        assert client.get(f"/endpoints/{endpoint.pk}/{path}/").status_code == 403
        assert browser_client(stranger).get(f"/endpoints/{endpoint.pk}/{path}/").status_code == 404
    assert browser_client(stranger).get(f"/model-versions/{versions[0].pk}/").status_code == 404


def test_lists_of_one_project_do_not_say_in_each_row_whose_they_are(
    browser_client: Callable[[User], Client], ann: User, project: Project
) -> None:
    registry.register(project=project, name="wine", number=1, source="s", acting_user=Actor.system("tests"))
    services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    client = browser_client(ann)
    for section in ("models", "endpoints"):
        everywhere = client.get(f"/{section}/").content.decode()
        assert "sort=project" in everywhere
        assert f'<td><a href="/projects/{project.pk}/">' in everywhere
        own = client.get(f"/projects/{project.pk}/{section}/").content.decode()
        assert "sort=project" not in own
        assert f'<td><a href="/projects/{project.pk}/">' not in own
        assert own.count('<th scope="col"') == everywhere.count('<th scope="col"') - 1


def test_names_that_look_like_markup_are_shown_as_text(
    browser_client: Callable[[User], Client], ann: User, data: Path
) -> None:
    project = make_project("odd", ann="admin")
    name = '<script>alert("x")</script>'
    version = registry.register(project=project, name=name, number=1, source="<b>", acting_user=Actor.system("tests"))
    add_lineage_of(project, version)
    client: Any = browser_client(ann)
    for path in ("/models/", f"/models/{version.model_id}/", f"/model-versions/{version.pk}/"):
        content = client.get(path).content.decode()
        assert name not in content
        assert "&lt;script&gt;" in content


def test_revoking_a_key_asks_first_and_says_what_it_does(
    browser_client: Callable[[User], Client], ann: User, project: Project
) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    key, _ = services.create_key(endpoint, name="shop", acting_user=Actor.person(ann))
    client = browser_client(ann)
    address = f"/endpoints/{endpoint.pk}/keys/{key.pk}/revoke/"
    shown = client.get(f"/endpoints/{endpoint.pk}/").content.decode()
    assert f'href="{address}"' in shown
    assert f'action="{address}"' not in shown, "one press must not shut clients out"
    question = client.get(address).content.decode()
    assert f"Clients that ask {endpoint.path} with this key are refused" in question
    assert "This cannot be undone." in question
    key.refresh_from_db()
    assert key.revoked_at is None
    client.post(address)
    key.refresh_from_db()
    assert key.revoked_at is not None
