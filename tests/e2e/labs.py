"""JupyterLab in a person's browser, and what others ask of its address beside the browser."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
import requests
from playwright.sync_api import Page, Request, expect

from tests.e2e.stack import Rest, Stack, wait_for
from tests.e2e.visitor import LONG_MS, Visitor

PASS = "modelwright_pass"
EVENTS = "/api/events/subscribe"


@dataclass
class Lab:
    """A session that somebody has open: its page of the platform, its tab, and the link by which they came in."""

    person: Visitor
    session: str
    page: Page
    link: str

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.rstrip("/").rpartition("/")[2]

    @property
    def origin(self) -> str:
        """Where it is, as its pages say of themselves."""
        place = urlsplit(self.page.url)
        return f"{place.scheme}://{place.netloc}"

    @property
    def cookie(self) -> str:
        """The pass that the browser holds for it."""
        values = [one["value"] for one in self.page.context.cookies(self.origin) if one["name"] == PASS]
        assert len(values) == 1, values
        return f"{PASS}={values[0]}"


def start(person: Visitor, project: str) -> str:
    """Start a session on the page; its address, once it can be opened."""
    page = person.page
    page.goto(f"{person.url}/projects/{project}/sessions/")
    page.get_by_role("link", name="Start a session", exact=True).click()
    page.get_by_label(re.compile("^Size")).select_option("small")
    person.press("Start")
    # The first one makes the environment.
    expect(page.get_by_role("link", name="Open JupyterLab")).to_be_visible(timeout=2 * LONG_MS)
    return page.url


def open_lab(person: Visitor, session: str) -> Lab:
    """JupyterLab in a tab of its own."""
    page = person.page.context.new_page()
    links: list[str] = []

    def keep(request: Request) -> None:
        if urlsplit(request.url).path == "/_enter":
            links.append(request.url)

    page.on("request", keep)
    # The first save asks for a name; the one that the notebook has will do.
    page.add_locator_handler(page.locator(".jp-Dialog button.jp-mod-accept").first, lambda button: button.click())
    # Lab says when it asked in vain, which it may do while the proxy is started again, and goes on by itself.
    lost = page.get_by_role("dialog").filter(has_text="Server Connection Error")
    page.add_locator_handler(lost.get_by_role("button", name="Close"), lambda button: button.click())
    page.goto(session)
    page.get_by_role("link", name="Open JupyterLab").click()
    expect(page.get_by_role("menuitem", name="File")).to_be_visible(timeout=LONG_MS)
    assert len(links) == 1, links
    return Lab(person, session, page, links[0])


def run_cell(lab: Lab, code: str) -> str:
    """What a cell prints that is run in the notebook, which is opened where none is. The notebook is not saved."""
    page = lab.page
    cell = page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first
    if not cell.count():
        page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    expect(cell).to_be_visible(timeout=LONG_MS)
    cell.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(f"{code}\nprint('it ended')")
    prompt = page.locator(".jp-NotebookPanel .jp-InputPrompt").first
    before = prompt.inner_text()
    # Once, as people do: a cell that is run while its kernel starts waits for it.
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before, timeout=LONG_MS)
    output = page.locator(".jp-NotebookPanel .jp-Cell .jp-OutputArea").first
    expect(output).to_contain_text(re.compile("it ended|Error"), timeout=LONG_MS)
    return output.inner_text()


def save(lab: Lab) -> None:
    """Save the notebook, as people do."""
    lab.page.keyboard.press("Control+s")


def wait_saved(rest: Rest, lab: Lab, path: str) -> None:
    """Wait until the platform has the file as it is not committed yet."""

    def is_there() -> bool:
        return path in [one["path"] for one in rest.get(f"sessions/{lab.id}/changes/")["files"]]

    wait_for(f"{path} saved", is_there, 180)


def commit(rest: Rest, lab: Lab, path: str, message: str) -> None:
    """Commit on the session's page what was saved, with `path` among it."""
    wait_saved(rest, lab, path)
    page = lab.person.page
    page.goto(lab.session)
    expect(page.get_by_role("rowheader", name=path)).to_be_visible()
    lab.person.fill({"Message": message})
    lab.person.press("Commit")
    expect(page.get_by_text(re.compile("commits? that main lacks"))).to_be_visible()


def merge(lab: Lab) -> None:
    """Press the button that merges its branch."""
    lab.person.page.goto(lab.session)
    lab.person.press("Merge into main")


def stop(lab: Lab) -> None:
    """Stop it on its page, and wait for its end."""
    page = lab.person.page
    page.goto(lab.session)
    page.get_by_role("link", name="Stop", exact=True).click()
    page.get_by_role("button", name=re.compile("Stop")).click()
    page.goto(lab.session)
    # The page reads itself again at the end.
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG_MS)


def kill_supervisor(stack: Stack, rest: Rest, lab: Lab) -> None:
    """`kill -9` of the process that supervises the session on its host."""
    session = rest.get(f"sessions/{lab.id}/")
    listed = rest.get(f"workloads/?kind=session&state=running&project={session['project']}")["results"]
    found = [one["id"] for one in listed if one["name"].endswith(f"/session {session['number']}")]
    assert len(found) == 1, listed
    folders = list((stack.directory / "workloads").glob(f"{found[0]}-*"))
    assert len(folders) == 1, folders
    psutil.Process(int(json.loads((folders[0] / "status.json").read_text())["shim_pid"])).kill()


def asked(stack: Stack, lab: Lab, method: str = "GET", path: str = "/api/status", **headers: str) -> int:
    """The status that somebody gets who asks its address with these headers and no others."""
    url = f"http://127.0.0.1:{urlsplit(stack.sessions_url).port}{path}"
    sent = {"Host": urlsplit(lab.origin).netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.request(method, url, headers=sent, allow_redirects=False, timeout=60).status_code


def connected(stack: Stack, lab: Lab, **headers: str) -> int:
    """The same of a WebSocket: 101 where it opens."""
    url = f"http://127.0.0.1:{urlsplit(stack.sessions_url).port}{EVENTS}"
    sent = {"Host": urlsplit(lab.origin).netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}

    async def go() -> int:
        jar: Any = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            try:
                async with http.ws_connect(url, headers=sent, timeout=aiohttp.ClientWSTimeout(ws_close=10)):
                    return 101
            except aiohttp.WSServerHandshakeError as error:
                return error.status

    # In a thread of its own: Playwright's loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(go())).result(120)
