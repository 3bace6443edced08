"""The pages on which people decide what serves: accessible at both widths, and used with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from models.approvals.models import Consent
from models.events.models import Sink
from tests.matrix.bodies import VALUES, filled
from tests.matrix.routes import Route, routes
from tests.matrix.world import World, build
from tests.ui.browser import TIMEOUT_MS, WIDE, check_page, sign_in
from tests.ui.test_every_page import is_whole_page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(900)]
PHONE = {"width": 400, "height": 800}
# Beginnings of the names of their routes. Of all others `test_every_page` sees to the rest.
OF_THESE = (*("consent", "promotion", "rollout", "project-events", "workspace-event", "event-sink", "dead-letters"),)
# As many stops as the longest of the pages may have.
MOST_STOPS = 150

# What is focused: its text, whether it is inside `main`, and whether one sees that it is.
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
  return {main: !!one.closest('main#main'), name: one.outerHTML.slice(0, 120), ringed, size: box.width * box.height};
}"""
# What a mouse could use inside `main`.
USABLE = """() => [...document.querySelectorAll(
  'main#main a[href], main#main button, main#main input, main#main select, main#main textarea, main#main summary')]
  .filter(one => !one.disabled && one.type !== 'hidden' && one.checkVisibility({visibilityProperty: true})
    && !(one.type === 'radio' && !one.checked)).map(one => one.outerHTML.slice(0, 120))"""


def pages() -> list[Route]:
    return [
        route
        for route in routes()
        if not route.is_api and "GET" in (route.permissions or {}) and route.name.startswith(OF_THESE)
    ]


def address(route: Route, world: World, role: str) -> str:
    values = world.values_for(role)
    return route.address(values | filled(VALUES.get(route.name, {}), values))


def stops(page: Page) -> list[dict[str, object]]:
    """What the tabulator key stops at, until it leaves the page."""
    page.evaluate("() => { document.activeElement?.blur(); window.getSelection()?.removeAllRanges(); }")
    found: list[dict[str, object]] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        one = page.evaluate(FOCUSED)
        if one is None:
            break
        found.append(one)
    return found


def unreachable(page: Page) -> list[str]:
    """What is wrong for somebody who has no mouse."""
    found = stops(page)
    names = [one["name"] for one in found if one["main"]]
    wrong = [f"not reached by Tab: {name}" for name in page.evaluate(USABLE) if name not in names]
    wrong += [f"focus is not seen: {one['name']}" for one in found if not one["ringed"]]
    return wrong


def press(page: Page, name: str, *, role: str = "link") -> None:
    """Go to it with Tab and press Enter."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    expect(wanted).to_be_visible(timeout=TIMEOUT_MS)
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} is not reached by Tab")


def take_back_a_consent(page: Page, server: str, world: World) -> None:
    """As the contributor who gave it."""
    sign_in(page, server, "contributor")
    page.goto(f"{server}/consents/{world.values['given_consent_id']}/")
    press(page, "Take back")
    expect(page.locator("h1")).to_contain_text("Take back:", timeout=TIMEOUT_MS)
    reason = page.get_by_label("Reason")
    for _ in range(MOST_STOPS):
        if reason.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("It refuses too many.")
    press(page, "Take back the consent", role="button")
    expect(page.locator("main")).to_contain_text("Taken back by", timeout=TIMEOUT_MS)
    consent = Consent.objects.get(pk=world.values["given_consent_id"])
    assert (consent.state, consent.revocation) == ("revoked", "It refuses too many.")


def pause_a_sink(page: Page, server: str, world: World) -> None:
    """As the project's administrator, after its dead letter was sent again."""
    sign_in(page, server, "project-admin")
    page.goto(f"{server}/event-sinks/{world.values['sink_id']}/")
    press(page, "Send again x.answer", role="button")
    expect(page.locator("main")).to_contain_text("They are sent again, in order.", timeout=TIMEOUT_MS)
    press(page, "Pause")
    press(page, "Pause", role="button")
    expect(page.locator("main")).to_contain_text("Nothing is sent to", timeout=TIMEOUT_MS)
    assert Sink.objects.get(pk=world.values["sink_id"]).state == "paused"


def test_each_of_them_is_accessible_at_both_widths_and_used_with_the_keyboard_alone(
    page: Page, live_server: LiveServer
) -> None:
    world, wrong = build(), []
    for journey in (take_back_a_consent, pause_a_sink):
        journey(page, live_server.url, world)
        page.context.clear_cookies()
    sign_in(page, live_server.url, "site-admin")
    found = pages()
    assert len(found) > 20, "the names of routes have changed"
    for route in found:
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            response = page.goto(live_server.url + address(route, world, "site-admin"))
            assert response is not None
            if not is_whole_page(page):
                continue
            try:
                assert response.status < 400, f"answered {response.status}"
                check_page(page)
                assert not (trouble := unreachable(page)), "\n".join(trouble)
            except AssertionError as error:
                wrong.append(f"{route.name} at {size['width']}: {error}")
    assert not wrong, "\n\n".join(wrong)
