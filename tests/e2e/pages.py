"""What a person reads on the pages of a platform: the words of each page that can be reached by links, to compare."""

from __future__ import annotations

import re
from collections import deque
from html.parser import HTMLParser

import requests

MOST_PAGES = 150
# What differs from one platform to another, or from one minute to the next, although all data are the same: machines,
# workloads and their use; health; the audit log, which grows by looking; when one's tokens were used; forms; documents,
# downloads and fragments; applications, and secrets, which they are given at each start.
PASSING = re.compile(
    r"^/(static|api|login|logout|hosts|environments|health|usage|console|audit|account|profile|docs|metrics)\b"
    r"|/(usage|processes|workloads|hosts|new|edit|delete|download|export|serving|raw|log|try|replicas)(/|$)"
    r"|/(applications|secret-reads|variables/\w+)(/|$)"
)


class _Words(HTMLParser):
    """The words inside `main`, a time as its moment, and the links there."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self._inside = self._in_time = self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "main":
            self._inside += 1
        elif self._inside and tag == "a" and (values.get("href") or "").startswith("/"):
            self.links.append(str(values["href"]).split("#")[0])
        elif self._inside and tag == "time":
            self._in_time += 1
            self.words.append(str(values.get("datetime")))
        elif tag in ("script", "style"):
            self._unread += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "main":
            self._inside -= 1
        elif tag == "time" and self._in_time:
            self._in_time -= 1
        elif tag in ("script", "style"):
            self._unread -= 1

    def handle_data(self, data: str) -> None:
        if self._inside and not self._in_time and not self._unread and data.strip():
            self.words.append(" ".join(data.split()))


def signed_in(web_url: str, username: str, password: str) -> requests.Session:
    """A browser's session of a person."""
    session = requests.Session()
    page = session.get(f"{web_url}/login/", timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text[:2000]
    form = {"username": username, "password": password, "csrfmiddlewaretoken": token.group(1)}
    answer = session.post(f"{web_url}/login/", data=form, headers={"Referer": web_url}, timeout=60)
    assert answer.ok, answer.text[:2000]
    return session


def read_pages(web_url: str, session: requests.Session, start: tuple[str, ...]) -> dict[str, list[str]]:
    """The words of each page by its path, from `start` along links, at most MOST_PAGES. Every page must answer 200."""
    found: dict[str, list[str]] = {}
    ahead, known = deque(start), set(start)
    while ahead and len(found) < MOST_PAGES:
        path = ahead.popleft()
        answer = session.get(f"{web_url}{path}", timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:1000]}"
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        reader = _Words()
        reader.feed(answer.text)
        found[path] = reader.words
        for link in reader.links:
            if link not in known and "?" not in link and not PASSING.search(link):
                known.add(link)
                ahead.append(link)
    return found
