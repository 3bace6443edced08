"""Every page of the platform in a browser: accessible, within the policy, no wider than the window at both widths.

The pages are those of the URLconf, over the world that the permission matrix makes, with one of everything.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.matrix.bodies import VALUES, filled
from tests.matrix.routes import Route, routes
from tests.matrix.world import World, build
from tests.ui.browser import NARROW, WIDE, check_page, check_width, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(1500)]
# Files, fragments and documents for scripts are no pages.
NO_PAGES = {
    "application-log",
    "application-state",
    "audit-export",
    "batch-job-log",
    "batch-job-output",
    "batch-job-state",
    "scoring-chunk",
    "scoring-input",
    "scoring-job",
    "endpoint-predictions-export",
    "endpoint-traffic-chart",
    "git-references",
    "health-live",
    "health-ready",
    "login",
    "logout",
    "prediction-receipt",
    "project-archive",
    "project-file-download",
    "receipt-keys-file",
    "run-artifact",
    "session-agent-runs",
    "session-git-references",
    "usage-chart",
    "usage-export",
    "workload-log",
    "workloads-export",
}
QUERIES = {
    "project-file-delete": "?path=README.md",
    "project-compare": "?base=start",
    "project-file-edit": "?path=README.md",
    "project-file-rename": "?path=README.md",
    "project-restore": "?commit=start",
    "project-file": "?path=README.md",
}


def pages() -> list[Route]:
    """The routes that answer a person's GET with a whole page."""
    return [
        route
        for route in routes()
        if not route.is_api and "GET" in (route.permissions or {}) and route.name not in NO_PAGES
    ]


def is_whole_page(page: Page) -> bool:
    """Whether what the browser shows is a page with a frame, and not a fragment or a document."""
    return page.locator("main#main").count() == 1


def walk(page: Page, server: str, world: World, role: str) -> list[str]:
    """Open every page as `role` and return what is wrong."""
    wrong: list[str] = []
    sign_in(page, server, role)
    for route in pages():
        values = world.values_for(role)
        values |= filled(VALUES.get(route.name, {}), values)
        response = page.goto(server + route.address(values) + QUERIES.get(route.name, ""))
        assert response is not None
        if not is_whole_page(page):
            continue
        if response.status >= 400:
            wrong.append(f"{route.name}: {response.status} {page.locator('main').inner_text()[:200]}")
            page.__dict__["watched"].failed.clear()
            continue
        for size, check in ((WIDE, check_page), (NARROW, check_width)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            try:
                check(page)
            except AssertionError as error:
                wrong.append(f"{route.name} at {size['width']}: {error}")
            watched: Any = page.__dict__["watched"]
            watched.errors.clear()
            watched.failed.clear()
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return wrong


def test_every_page_for_an_administrator(page: Page, live_server: LiveServer) -> None:
    world = build()
    wrong = walk(page, live_server.url, world, "site-admin")
    assert not wrong, "\n\n".join(wrong)
