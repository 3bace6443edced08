"""Applications of the usual frameworks, unchanged, behind the real proxy, in a browser."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.gateway.processes import Process, wait_for
from tests.sessions import frameworks
from tests.sessions.proxying import Proxy, entry

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "platform" / "runtime"
KEY = "anapplication"
SECONDS = 120
Begin = Callable[..., str]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Application(Process):
    """A workload with an application."""

    def __init__(self, folder: Path, python: str, words: list[str], url: str) -> None:
        self.socket = folder / "s"
        told: dict[str, Any] = {"PYTHONPATH": str(RUNTIME), "MODELWRIGHT_APP_URL": url}
        told["MODELWRIGHT_APP_SOCKET"] = str(self.socket)
        super().__init__(
            ["env", "-C", str(folder), python, "-m", "modelwright_runtime.application", *words], folder / "log", **told
        )

    def answers(self) -> bool:
        """Whether somebody listens at its socket; the socket is there once the application answers."""
        assert self.popen.poll() is None, self.text()
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    process = Proxy(tmp_path_factory.mktemp("proxy"))
    yield process
    process.stop()


@pytest.fixture
def begin(proxy: Proxy, tmp_path: Path) -> Iterator[Begin]:
    """Start an application and let the proxy lead there; its address."""
    running: list[Application] = []

    def call(code: str, *words: str) -> str:
        (tmp_path / "app.py").write_text(code)
        application = Application(tmp_path, frameworks.python(), list(words), proxy.origin(KEY))
        running.append(application)
        wait_for(application.answers, seconds=SECONDS, what="the application")
        proxy.publish(entry(application.socket, key=KEY, kind="application", is_public=True))
        return proxy.origin(KEY)

    yield call
    for application in running:
        assert application.stop(signal.SIGTERM) == 0, application.text()


def test_flask(begin: Begin, page: Page) -> None:
    page.goto(begin(frameworks.FLASK, "flask", "--app", "app", "run"))
    expect(page.get_by_text("Hello, World!")).to_be_visible()


def test_dash(begin: Begin, page: Page) -> None:
    page.goto(begin(frameworks.DASH, "app.py"))
    expect(page.get_by_text("Hello World")).to_be_visible(timeout=SECONDS * 1000)


def test_streamlit(begin: Begin, page: Page) -> None:
    page.goto(begin(frameworks.STREAMLIT, "streamlit", "run", "app.py"))
    expect(page.get_by_text("0 squared is 0")).to_be_visible(timeout=SECONDS * 1000)
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    # What the widget says goes to the script, and its answer comes back, by WebSocket.
    expect(page.get_by_text("1 squared is 1")).to_be_visible(timeout=SECONDS * 1000)


def test_gradio(begin: Begin, page: Page) -> None:
    page.goto(begin(frameworks.GRADIO, "app.py"))
    page.get_by_label("name").fill("Ann", timeout=SECONDS * 1000)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("output")).to_have_value("Hello, Ann", timeout=SECONDS * 1000)


def test_what_ends_by_itself_and_what_is_no_program_say_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os; print(os.environ['CDSW_APP_PORT'], flush=True); raise SystemExit(3)")
    ended = Application(tmp_path, "python3", ["app.py"], "")
    assert ended.popen.wait(30) == 3
    assert "exit code 3" in ended.text()
    assert not ended.socket.exists()
    missing = Application(tmp_path, "python3", ["no-such-program"], "")
    assert missing.popen.wait(30) == 127
    assert "There is no program" in missing.text()
