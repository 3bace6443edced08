"""A real JupyterLab behind the real proxy: in from the pages, a kernel by WebSocket, and a proxy that is killed."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from sessions.entering import minding as entering
from sessions.models import Session
from tests.gateway.processes import wait_for
from tests.sessions.conftest import Start, come_in, run_through
from tests.sessions.labs import turn
from tests.sessions.proxying import Proxy
from tests.ui.browser import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_kernel_runs_cells_through_the_proxy_also_after_it_was_killed(
    start: Start, ann: User, proxy: Proxy, tmp_path: Path
) -> None:
    session = start(ann)
    cookie = come_in(proxy, session, ann)

    def run(at: Proxy, code: str) -> str:
        return run_through(at, session, cookie, code)

    assert run(proxy, "print(6 * 7)") == "42\n"
    large = run(proxy, "print('x' * 300_000)")
    assert len(large) == 300_001
    # What Lab serves to nobody else: an answer without the cookie is the proxy's own.
    assert proxy.ask("/api/kernels", key=session.key, Accept="application/json").status == 401
    kernels = proxy.ask("/api/kernels", key=session.key, cookie=cookie, Accept="application/json").json()
    assert len(kernels) == 2
    proxy.stop(signal.SIGKILL)
    again = Proxy(tmp_path, "--data", str(django_settings.DATA_DIR), port=proxy.port)
    try:
        assert proxy.ask("/api/kernels", key=session.key, cookie=cookie, Accept="application/json").json()
        assert run(again, "print(6 * 7)") == "42\n"
    finally:
        again.stop()


def open_lab(page: Page, url: str, session: Session) -> None:
    """Sign in as ann and open the session from its page."""
    turn()
    sign_in(page, url, "ann")
    page.goto(f"{url}/sessions/{session.pk}/")
    with page.expect_navigation(url=re.compile(rf"http://{session.key}\.localhost:\d+/lab"), wait_until="commit"):
        page.get_by_role("link", name="Open JupyterLab").click()
    entering.publish()
    expect(page.get_by_role("menuitem", name="File")).to_be_visible(timeout=180_000)


@pytest.mark.django_db(transaction=True)
def test_a_person_opens_lab_from_the_page_in_a_browser(
    start: Start, ann: User, proxy: Proxy, page: Page, live_server: LiveServer
) -> None:
    session = start(ann)
    open_lab(page, live_server.url, session)
    assert urlsplit(page.url).hostname == f"{session.key}.localhost"
    # Its scripts see none of the pages' cookies, and not their own pass.
    assert "modelwright" not in page.evaluate("document.cookie")


@pytest.mark.django_db(transaction=True)
def test_cells_that_are_run_while_their_kernel_starts_wait_for_it(
    start: Start, ann: User, proxy: Proxy, page: Page, live_server: LiveServer
) -> None:
    """JupyterLab itself drops them without a word, and the start of a kernel takes seconds where much else goes on."""
    open_lab(page, live_server.url, start(ann))
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    def is_held() -> bool:
        page.wait_for_timeout(50)  # In which the browser is heard.
        return bool(held)

    page.route(re.compile(r"/api/sessions(\?|$)"), hold)
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    cells = page.locator(".jp-NotebookPanel .jp-Cell")
    for number, code in enumerate(("x = 6 * 7; print(x)", "print(x + 1)")):
        cell = cells.nth(number)
        cell.locator(".cm-content").click()
        page.keyboard.insert_text(code)
        # It asks for a kernel once it has looked which ones there are.
        wait_for(is_held, what="the question for a kernel")
        page.keyboard.press("Shift+Enter")
        expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
    assert len(held) == 1
    held[0].continue_()
    for number, said in enumerate(("42", "43")):
        expect(cells.nth(number).locator(".jp-OutputArea-output")).to_have_text(said, timeout=120_000)
        expect(cells.nth(number).locator(".jp-InputPrompt")).to_have_text(f"[{number + 1}]:")
