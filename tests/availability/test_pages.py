"""An endpoint's availability over REST, as figures for charts, and on pages in a real browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from models.availability import alerting
from models.endpoints.models import Endpoint
from modelwright.accounts.models import User
from tests.ui.browser import check_page, sign_in

from .conftest import Count

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def troubled(endpoint: Endpoint, count: Count) -> Endpoint:
    """Much was asked, of which something failed within the last minutes, and something long ago."""
    count(40 * DAY, failed=1000)
    count(29 * DAY, answered=99_000)
    count(3 * MINUTE, answered=780, failed=150, refused=40)
    count(3 * MINUTE, "other", answered=20, failed=10)
    alerting.tick()
    return endpoint


def asked(user: User, address: str, **headers: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(address, headers=headers)


@pytest.mark.django_db
def test_rest_tells_budget_burn_rates_and_alerts(ann: User, troubled: Endpoint) -> None:
    address = f"/api/v1/endpoints/{troubled.pk}/availability/"
    found = asked(ann, address).json()
    assert found["counts"] == {"requests": 100_000, "answered": 99_800, "refused": 40, "failed": 160}
    assert (found["availability"], found["target"]) == (pytest.approx(99.8), 99.9)
    assert (found["budget_left"], found["requests_left"]) == (pytest.approx(-1), -100)
    assert [burn["rule"] for burn in found["burns"]] == ["fast", "medium", "slow"]
    assert found["burns"][0]["long_rate"] == pytest.approx(200)
    assert {alert["severity"] for alert in found["alerts"]} == {"page", "ticket"}
    assert (found["wanted_replicas"], found["replicas"], found["load"]) == (1, [], None)
    alerts = asked(ann, f"{address}alerts/?state=open").json()["results"]
    assert {alert["rule"] for alert in alerts} == {"fast", "medium", "slow"}
    assert asked(ann, f"{address}alerts/?state=closed").json()["results"] == []
    assert asked(ann, f"{address}alerts/?state=odd").status_code == 422


@pytest.mark.django_db
def test_charts_draw_what_failed_and_what_is_left(ann: User, troubled: Endpoint) -> None:
    address = f"/endpoints/{troubled.pk}/availability/chart/"
    hour = asked(ann, f"{address}?chart=requests&period=1h").json()["series"]
    assert [line["label"] for line in hour] == ["failed", "turned away"]
    assert [max(value or 0 for value in line["y"]) for line in hour] == [160, 40]
    for period in ("1h", "24h", "7d", "30d"):
        (left,) = asked(ann, f"{address}?chart=budget&period={period}").json()["series"]
        assert left["y"][-1] == pytest.approx(-100)
    assert len(left["y"]) == 120
    assert left["y"][0] == pytest.approx(100 - 100_000), "what was lost before is still in the month that ends there"


@pytest.mark.django_db(transaction=True)
def test_pages_say_how_it_stands_and_take_a_target(
    page: Page, live_server: LiveServer, ann: User, troubled: Endpoint
) -> None:
    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/endpoints/{troubled.pk}/")
    part = page.locator("#availability")
    expect(part).to_contain_text("Look now: 200 of 1,000 requests of the last hour were not answered")
    expect(part).to_contain_text("99.8 %")
    part.get_by_role("link", name="See when it began").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("acme/wine")
    expect(page.locator("figure.chart")).to_have_count(2)
    check_page(page)
    page.get_by_role("link", name="All alerts").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("State").select_option("closed")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.goto(f"{live_server.url}/endpoints/{troubled.pk}/availability/replicas/")
    check_page(page)
    page.get_by_label("Replicas at most").fill("0")
    page.get_by_label("Target").fill("100")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("greater than or equal to 1")
    page.get_by_label("Replicas at most").fill("3")
    page.get_by_label("Target").fill("99.5")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("from 1 to 3 by load")
    expect(page.locator("main")).to_contain_text("99.5 %")
