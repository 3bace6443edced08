"""Approvals on pages and over REST, and what a project says it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from models.approvals import selectors, services
from models.approvals.cards import SECTIONS
from models.approvals.deciding import to_decide
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, PermissionRefused, PreconditionFailed, ValidationFailed
from projects.models import Project
from tests.approvals.conftest import made_by
from tests.approvals.test_cards import FULL
from tests.conftest import ApiClient
from tests.ui.browser import check_page, sign_in

SYSTEM = Actor.system("tests")
JSON = "application/json"


@pytest.mark.django_db
def test_the_page_says_where_each_missing_check_is_had_and_that_somebody_has_asked(
    version: ModelVersion, people: dict[str, User], actors: dict[str, Actor], browser_client: Callable[[User], Client]
) -> None:
    client = browser_client(people["bob"])
    page = client.get(f"/model-versions/{version.pk}/approval/").content.decode()
    assert f'href="/model-versions/{version.pk}/card/edit/">Fill in the card' in page
    assert f'href="/model-versions/{version.pk}/approval/">Start the tests' in page
    assert f'href="/projects/{version.model.project_id}/endpoints/">Choose an endpoint' in page
    assert "asked for</span>" not in page
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    page = client.get(f"/model-versions/{version.pk}/approval/").content.decode()
    assert f'asked for</span> by <a href="/promotions/{wanted.pk}/">bob</a>' in page
    editor = client.get(f"/model-versions/{version.pk}/card/edit/").content.decode()
    labels = {label.split(" <")[0]: "(optional)" in label for label in editor.split("<label for=")[1:]}
    needed = {section.title for section in SECTIONS if section.needed}
    optional = {name.split(">")[1].split("<")[0] for name, is_optional in labels.items() if is_optional}
    assert needed
    assert not optional & needed


@pytest.mark.django_db
def test_the_way_to_production_over_rest(
    version: ModelVersion, people: dict[str, User], api: Callable[[User], ApiClient]
) -> None:
    ann, bob, cid = (api(people[name]) for name in ("ann", "bob", "cid"))
    of_version = f"/api/v1/model-versions/{version.pk}"
    for kind in ("tests", "replay"):
        services.record_check(version, kind, "passed", acting_user=SYSTEM)
    card = ann.get(f"{of_version}/card/")
    assert (card.json()["revision"], card.headers["ETag"]) == (0, '"0"')
    saved = ann.put(f"{of_version}/card/", {"sections": FULL}, content_type=JSON, headers={"If-Match": '"0"'})
    assert (saved.status_code, saved.json()["unfilled"]) == (200, [])
    late = bob.put(f"{of_version}/card/", {"sections": {}}, content_type=JSON, headers={"If-Match": '"0"'})
    assert late.status_code == 412
    asked = bob.post(f"{of_version}/promotions/", {"stage": "production", "reason": "better"}, content_type=JSON)
    assert (asked.status_code, asked.json()["state"], asked.json()["maker_name"]) == (201, "requested", "ann")
    promotion = f"/api/v1/promotions/{asked.json()['id']}"
    for client in (ann, bob):
        refused = client.post(f"{promotion}/approval/", {}, content_type=JSON)
        assert (refused.status_code, refused.json()["title"]) == (403, "Not allowed")
        assert client.get("/api/v1/promotions/?mine=true").json()["results"] == []
    assert [each["id"] for each in cid.get("/api/v1/promotions/?mine=true").json()["results"]] == [asked.json()["id"]]
    approved = cid.post(f"{promotion}/approval/", {}, content_type=JSON).json()
    assert (approved["state"], approved["decided_by"], approved["is_override"]) == ("approved", "cid", False)
    assert {each["outcome"] for each in approved["decided_checks"]} == {"passed"}
    assert cid.get(f"/api/v1/model-versions/{version.pk}/").json()["aliases"] == ["production"]
    assert cid.get("/api/v1/promotions/?state=approved&stage=production").json()["results"][0]["id"] == approved["id"]
    assert cid.get("/api/v1/promotions/?state=odd").status_code == 422


@pytest.mark.django_db
def test_who_may_decide_what(project: Project, version: ModelVersion, people: dict[str, User], admin: User) -> None:
    own = made_by(project, people["cid"], 2)
    first = services.request_promotion(version, stage="production", acting_user=Actor.person(people["bob"]))
    second = services.request_promotion(own, stage="production", acting_user=Actor.person(people["dot"]))
    lists = {
        name: set(to_decide(user).values_list("pk", flat=True)) for name, user in {**people, "admin": admin}.items()
    }
    assert lists == {
        "ann": {second.pk},
        "bob": {second.pk},
        "cid": {first.pk},
        "dot": {first.pk},
        "eve": set(),
        "admin": {first.pk, second.pk},
    }


@pytest.mark.django_db
def test_a_project_says_which_checks_it_needs(
    project: Project, version: ModelVersion, actors: dict[str, Actor]
) -> None:
    assert selectors.needed_for(project, "production") == ["tests", "replay", "card"]
    with pytest.raises(PermissionRefused):
        services.change_policy(project, production=[], acting_user=actors["ann"])
    with pytest.raises(ValidationFailed):
        services.change_policy(project, production=["No Kind"], acting_user=actors["dot"])
    with pytest.raises(ValidationFailed):
        services.change_policy(project, staging=["staging"], acting_user=actors["dot"])
    changed = services.change_policy(
        project, staging=["smoke"], production=["staging", "tests"], expected=0, acting_user=actors["dot"]
    )
    assert changed.revision == 1
    with pytest.raises(PreconditionFailed):
        services.change_policy(project, production=[], expected=0, acting_user=actors["dot"])
    event = AuditEvent.objects.latest("id")
    assert (event.before or {})["production"] == ["tests", "replay", "card"]
    waiting = services.request_promotion(version, stage="staging", acting_user=actors["ann"])
    assert waiting.state == "requested"
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    services.record_check(version, "tests", "passed", acting_user=SYSTEM)
    with pytest.raises(Conflict, match="Staging"):
        services.approve(wanted, acting_user=actors["cid"])
    services.record_check(version, "smoke", "passed", acting_user=SYSTEM)
    services.approve(waiting, acting_user=actors["ann"])
    assert services.approve(wanted, acting_user=actors["cid"]).state == "approved"


@pytest.mark.django_db
def test_pages_say_what_is_missing_and_who_may_not(
    version: ModelVersion, people: dict[str, User], browser_client: Callable[[User], Client]
) -> None:
    bob, cid, eve = (browser_client(people[name]) for name in ("bob", "cid", "eve"))
    address = f"/model-versions/{version.pk}/approval/"
    shown = eve.get(address).content.decode()
    assert "Replay gate" in shown
    assert "Ask for approval" not in shown
    made: Any = bob.post(f"{address}ask/", {"stage": "production", "reason": "better"})
    page = made["Location"]
    assert "production takes a second person" in bob.get(page).content.decode()
    assert "Not passed yet: Tests, Replay gate, Model card." in cid.get(page).content.decode()
    refused = cid.post(f"{page}approve/", {"reason": ""})
    assert refused.status_code == 409
    silent = cid.post(f"{page}approve/", {"override": "on", "reason": ""})
    assert (silent.status_code, "needs a reason" in silent.content.decode()) == (422, True)
    assert cid.post(f"{page}approve/", {"override": "on", "reason": "it cannot wait"}).status_code == 302
    assert "Approved without all of its checks." in eve.get(page).content.decode()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_card_is_written_and_a_version_approved_in_a_browser(
    page: Page, live_server: LiveServer, version: ModelVersion, people: dict[str, User], project: Project
) -> None:
    version.metrics = {"auc": 0.85}
    version.save(update_fields=["metrics"])
    for kind in ("tests", "replay"):
        services.record_check(version, kind, "passed", acting_user=SYSTEM)
    sign_in(page, live_server.url, "bob")
    page.goto(f"{live_server.url}/model-versions/{version.pk}/")
    page.get_by_role("link", name="Approval", exact=True).click()
    check_page(page)
    page.get_by_role("link", name="Model card", exact=True).click()
    page.get_by_role("link", name="Write it").click()
    check_page(page)
    expect(page.get_by_label("Evaluation")).to_have_value("Logged by its run:\n\n- auc: 0.85")
    for label in ("Intended use", "Limits", "Training data", "Risks", "Owner"):
        page.get_by_label(label).fill(f"**{label}** of the wine model")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("The card is filled.")
    check_page(page)
    page.get_by_role("link", name="Approval", exact=True).click()
    page.get_by_role("link", name="Ask for approval").click()
    page.get_by_label("Reason").fill("It finds more.")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("You have asked for it yourself")).to_be_visible()
    check_page(page)
    page.context.clear_cookies()
    sign_in(page, live_server.url, "cid")
    page.goto(f"{live_server.url}/approvals/")
    check_page(page)
    page.get_by_role("link", name="wine version 1").first.click()
    page.get_by_role("link", name="Approve", exact=True).click()
    page.get_by_label("Reason").fill("Read and agreed.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Approved.")
    check_page(page)
    page.goto(f"{live_server.url}/projects/{project.pk}/approvals/")
    check_page(page)
