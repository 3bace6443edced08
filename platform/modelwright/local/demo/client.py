"""A small client of the REST API and of the gateway, on the standard library alone."""

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_SECONDS = 60.0
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Refused(Exception):
    """The platform answered with an error. The text says what happened, which field, and what to do."""

    def __init__(self, method: str, url: str, status: int, body: bytes) -> None:
        self.status = status
        super().__init__(f"{method} {url} answered {status}: {_explain(body)}")


@dataclass
class Client:
    """Calls addresses below `base` with a Bearer token."""

    base: str
    token: str = ""
    opener: urllib.request.OpenerDirector = field(default_factory=urllib.request.build_opener)

    def get(self, path: str, **query: str) -> Any:
        """GET; `query` becomes the query string."""
        return self.call("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST a JSON body."""
        return self.call("POST", path, {} if body is None else body, **headers)

    def pages(self, path: str, **query: str) -> Iterator[Any]:
        """Every item of a list that is answered in pages."""
        address: str | None = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        while address:
            page = self.call("GET", address)
            yield from page["results"]
            address = page["next"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call `path` (or a whole address) and return the decoded answer. Raises `Refused` for 4xx and 5xx."""
        url = urllib.parse.urljoin(self.base, path)
        data = None if body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 - the platform's own address
        try:
            with self.opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(method, url, error.code, error.read()) from None
        return json.loads(content) if content else None


def sign_in(base: str, username: str, password: str, token_name: str) -> Client:
    """Sign in on the login page as a person would and make an API token. Raises `Refused`."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    headers = {"Referer": base}

    def open_page(path: str, form: dict[str, str] | None = None) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(f"{base}{path}", data, headers)  # noqa: S310 - the platform's own address
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                text: str = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise Refused("GET" if form is None else "POST", f"{base}{path}", error.code, error.read()) from None
        return text

    def csrf(page: str) -> str:
        found = CSRF.search(page)
        if found is None:
            raise Refused("GET", base, 200, b"The page holds no form; signing in did not work.")
        return found.group(1)

    form = {"username": username, "password": password, "csrfmiddlewaretoken": csrf(open_page("/login/"))}
    home = open_page("/login/", form)
    session = Client(base, opener=opener)
    made = session.post("/api/v1/tokens/", {"name": token_name}, **{"X-CSRFToken": csrf(home), **headers})
    return Client(base, made["token"])


def wait_for(look: Callable[[], Any], seconds: float, what: str, every: float = 0.5) -> Any:
    """Call `look` until it returns something true, and return that. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(every)
    return found


def _explain(body: bytes) -> str:
    """What a problem document says; of anything else the start."""
    try:
        problem = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:500]
    if not isinstance(problem, dict):
        return str(problem)[:500]
    fields = [f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors", [])]
    parts = [problem.get("detail") or problem.get("title") or "", *fields, problem.get("remedy") or ""]
    return " ".join(part for part in parts if part)
