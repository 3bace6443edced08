"""A real JupyterLab behind the real proxy: in from the pages, a kernel by WebSocket, and a proxy that is killed."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from sessions.entering import minding as entering
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


@pytest.mark.django_db(transaction=True)
def test_a_person_opens_lab_from_the_page_in_a_browser(
    start: Start, ann: User, proxy: Proxy, page: Page, live_server: LiveServer
) -> None:
    session = start(ann)
    turn()
    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/sessions/{session.pk}/")
    with page.expect_navigation(url=re.compile(rf"http://{session.key}\.localhost:\d+/lab")):
        page.get_by_role("link", name="Open JupyterLab").click()
    entering.publish()
    expect(page.get_by_role("menuitem", name="File")).to_be_visible(timeout=60_000)
    assert urlsplit(page.url).hostname == f"{session.key}.localhost"
    # Its scripts see none of the pages' cookies, and not their own pass.
    assert "modelwright" not in page.evaluate("document.cookie")
