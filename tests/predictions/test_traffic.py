"""Rate, latency and failures of an endpoint: over REST, as figures for charts, and on pages in a real browser."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from models.endpoints.models import Deployment
from models.endpoints.services import create_endpoint
from models.predictions.storing import store
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from tests.ui.browser import check_page, sign_in

SCREENSHOTS = os.environ.get("MODELWRIGHT_SCREENSHOTS")
FAILED = {"status": 502, "outputs": [], "error": {"code": "ValueError", "message": "no"}}


@pytest.fixture
def busy(deployment: Deployment, make_record: Any) -> Deployment:
    """An endpoint that was asked ten times a minute for half an hour, failed now and then, and rested ten minutes."""
    begin = time.time() - 40 * 60
    store(
        [
            make_record(
                at=begin + 60 * minute + 5 * number,
                latency_ms=2.0 + number**2 + minute / 10,
                **(FAILED if number == 9 and minute % 3 == 0 else {}),
            )
            for minute in range(30)
            for number in range(10)
        ]
    )
    return deployment


def asked(user: User, address: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(address)


@pytest.mark.django_db
def test_rest_tells_steps_and_their_sum(ann: User, busy: Deployment) -> None:
    address = f"/api/v1/endpoints/{busy.endpoint_id}/traffic/"
    hour = asked(ann, address).json()
    assert (hour["period"], len(hour["steps"]), hour["steps"][0]["seconds"]) == ("1h", 60, 60)
    assert sum(step["requests"] for step in hour["steps"]) == hour["total"]["requests"] == 300
    assert (hour["total"]["failed"], hour["total"]["failed_share"]) == (10, pytest.approx(1 / 30))
    assert hour["total"]["p50_ms"] < hour["total"]["p95_ms"] <= hour["total"]["p99_ms"]
    assert hour["steps"][-1]["p99_ms"] is None
    assert [len(asked(ann, f"{address}?period={name}").json()["steps"]) for name in ("24h", "7d")] == [144, 168]
    refused = asked(ann, f"{address}?period=ages")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "period")


@pytest.mark.django_db
def test_charts_leave_gaps_where_nothing_was_asked(ann: User, busy: Deployment) -> None:
    address = f"/endpoints/{busy.endpoint_id}/traffic/chart/"
    rate, latency, errors = (asked(ann, f"{address}?chart={name}").json() for name in ("rate", "latency", "errors"))
    assert [line["label"] for line in latency["series"]] == ["p50", "p95", "p99"]
    assert (rate["time"], rate["gaps"], rate["y_label"]) == (True, True, "per second")
    assert max(rate["series"][0]["y"]) == pytest.approx(10 / 60, rel=0.3)
    # Nothing was asked in the last minutes: no request a second, and no latency at all.
    assert rate["series"][0]["y"][-1] == 0
    assert latency["series"][0]["y"][-1] is errors["series"][0]["y"][-1] is None
    assert {10.0} <= set(errors["series"][0]["y"])
    assert asked(ann, f"{address}?chart=nonsense&period=nonsense").json() == rate


@pytest.mark.django_db
def test_strangers_see_no_traffic(busy: Deployment, make_user: Any) -> None:
    stranger = make_user("stranger")
    for part in ("api/v1/endpoints/{}/traffic/", "endpoints/{}/traffic/", "endpoints/{}/traffic/chart/"):
        assert asked(stranger, f"/{part.format(busy.endpoint_id)}").status_code == 404


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_endpoints_page_draws_its_traffic(
    page: Page, narrow_page: Page, live_server: LiveServer, ann: User, busy: Deployment
) -> None:
    for browser, name in ((page, "wide"), (narrow_page, "narrow")):
        sign_in(browser, live_server.url, "ann")
        browser.goto(f"{live_server.url}/endpoints/{busy.endpoint_id}/")
        traffic = browser.locator("#traffic")
        expect(traffic.locator(".chart-canvas canvas")).to_have_count(3)
        expect(traffic.locator(".tile").first).to_contain_text("300")
        # What the lines say stands in a table too, which keys open.
        figure = traffic.get_by_role("figure", name="Latency, ms")
        figure.locator("summary").press("Enter")
        expect(figure.locator(".table-region thead th")).to_have_text(["time", "p50", "p95", "p99"])
        assert figure.locator(".table-region tbody tr").count() == 60
        if SCREENSHOTS:
            traffic.scroll_into_view_if_needed()
            browser.screenshot(path=f"{SCREENSHOTS}/traffic-{name}.png", full_page=True)
        check_page(browser)
    page.get_by_role("link", name="Last 24 hours").press("Enter")
    expect(page.locator("#traffic [aria-current=page]")).to_have_text("Last 24 hours")
    expect(page.locator("#traffic .chart-canvas canvas")).to_have_count(3)
    assert page.url.endswith(f"/endpoints/{busy.endpoint_id}/")
    page.goto(f"{live_server.url}/endpoints/{busy.endpoint_id}/traffic/?period=7d")
    expect(page.locator(".chart-canvas canvas")).to_have_count(3)
    check_page(page)
    quiet = create_endpoint(project=busy.endpoint.project, name="quiet", acting_user=Actor.person(ann))
    page.goto(f"{live_server.url}/endpoints/{quiet.pk}/traffic/")
    expect(page.locator(".tile").nth(3)).to_contain_text("—")
    expect(page.locator(".chart-canvas canvas")).to_have_count(3)
    check_page(page)
