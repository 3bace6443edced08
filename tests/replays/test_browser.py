"""Replays and drills in a real browser, at both widths and for screen readers."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from models.endpoints.models import Endpoint
from models.replays import collecting, drill_services
from models.replays.models import Drill, Replay
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from tests.gateway.processes import RECORD
from tests.replays.conftest import Predicted
from tests.ui.browser import NARROW, WIDE, check_page, sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
SYSTEM = Actor.system("tests")


def check_both(page: Page) -> None:
    """The page at both widths."""
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        check_page(page)


def test_a_replay_is_started_read_and_followed_to_its_records(
    page: Page, live_server: LiveServer, endpoint: Endpoint, predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        predicted(inputs=[{**RECORD, "region": ("north", "south")[number % 2], "alcohol": 12 + number / 10}])
    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/replays/")
    expect(page.get_by_text("No replays yet")).to_be_visible()
    check_both(page)
    page.get_by_role("link", name="Thresholds").click()
    page.get_by_label("Records answered otherwise, at most").fill("2.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("at most 2.5 %")).to_be_visible()
    page.get_by_role("link", name="New replay").click()
    page.get_by_label("Candidate").select_option(label="wine version 2 (LogisticRegression)")
    page.get_by_role("button", name="Replay").press("Enter")
    expect(page.get_by_text("It waits for a place.")).to_be_visible()
    check_both(page)

    # As its workloads would: the south is answered otherwise.
    replay = Replay.objects.get()
    asked = [request.prediction_id for request in replay.requests.order_by("place")]
    given = [{"ms": 2.0, "predictions": [f"one:{place % 2}"]} for place in range(len(asked))]
    left: dict[Any, Any] = {
        replay.workload_id: {"answers": given},
        replay.base_workload_id: {"answers": [{"ms": 1.0, "predictions": ["one:0"]}] * len(asked)},
    }
    monkeypatch.setattr(collecting, "read_result", lambda workload, _: left[workload.pk])
    now = timezone.now()
    Workload.objects.filter(kind="replay").update(state="succeeded", finished_at=now, handed_in_at=now)
    collecting.tick()

    expect(page.get_by_text("It failed.")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("2 times as long")).to_be_visible()
    check_both(page)
    page.get_by_role("region", name="Answers that change, by segment").get_by_role("link").first.click()
    expect(page.locator("h1")).to_have_text("Answers that change")
    expect(page.locator("tbody tr")).to_have_count(20)
    check_both(page)


def test_the_way_back_is_proved_from_the_endpoints_page(
    page: Page, live_server: LiveServer, endpoint: Endpoint, predicted: Predicted
) -> None:
    golden = predicted()
    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/")
    expect(page.get_by_text("never proved")).to_be_visible()
    page.get_by_role("link", name="Drills").first.click()
    page.get_by_role("link", name="Golden requests").click()
    page.get_by_label("Prediction").fill(str(golden.pk))
    page.locator("#id_note").fill("a borderline case")
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_role("cell", name="a borderline case")).to_be_visible()
    check_both(page)
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/drills/")
    page.get_by_role("link", name="Schedule").click()
    page.get_by_label("Schedule").fill("30 4 * * 0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Proved again")).to_be_visible()
    page.get_by_role("button", name="Prove it now").press("Enter")
    expect(page.locator("h1")).to_have_text("wine version 1")
    check_both(page)
    drill = Drill.objects.get()
    drill_services.end(drill, passed=False, detail="The disk was full.", acting_user=SYSTEM)
    expect(page.get_by_text("The disk was full.")).to_be_visible(timeout=30_000)
    page.goto(f"{live_server.url}/endpoints/{endpoint.pk}/drills/")
    check_both(page)
    page.get_by_role("button", name="I have seen it").click()
    expect(page.get_by_text("Seen by ann")).to_be_visible()
