"""Asks the endpoint, and says in words what went wrong."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
TIMEOUT_SECONDS = 30
URL, KEY = "ENDPOINT_URL", "ENDPOINT_KEY"
SET_THEM = f"Set {URL} and the secret {KEY} on the project's page Variables, then start the application anew."


class Trouble(Exception):
    """There is no answer. `remedy` says what to do; `wrong` names columns and what is wrong with their values."""

    def __init__(self, message: str, remedy: str, status: int = 502, wrong: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy, self.status, self.wrong = message, remedy, status, dict(wrong or {})


@dataclass(frozen=True)
class Answer:
    """What the endpoint answered: a probability for each record, who answered, and under which id it is on record."""

    probabilities: list[float]
    prediction_id: str
    model: str
    version: int


@dataclass(frozen=True)
class Endpoint:
    """A deployed classifier; `of` is the class whose probability is asked for."""

    url: str
    of: str
    key: str = field(repr=False)

    def ask(self, records: Sequence[Record]) -> Answer:
        """One request for all records, which is one prediction on record. Raises Trouble."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url, json.dumps({"records": records}).encode(), headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise refusal(error.code, error.read(), error.headers.get("Retry-After", "")) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Trouble(
                f"The endpoint could not be asked at {self.url}: {error}.",
                f"Look whether the platform's gateway runs, and whether {URL} is the address on the endpoint's page.",
            ) from None
        return Answer(self._probabilities(answer), answer["prediction_id"], answer["model"], answer["version"])

    def _probabilities(self, answer: Mapping[str, Any]) -> list[float]:
        rows = answer.get("probabilities") or []
        if len(rows) != len(answer["predictions"]) or any(self.of not in row for row in rows):
            raise Trouble(
                f"The model behind the endpoint gives no probability of the class {self.of!r}.",
                "Deploy a classifier of this project to it, or change the class in prediction_view/__init__.py.",
            )
        return [float(row[self.of]) for row in rows]


def endpoint_of_environment(of: str) -> Endpoint:
    """The endpoint that the project's variables name. Raises Trouble where they are not set."""
    url, key = os.environ.get(URL, ""), os.environ.get(KEY, "")
    if url.startswith("/"):
        # On the platform's own gateway, wherever that is: it may move.
        url = os.environ.get("MODELWRIGHT_GATEWAY_URL", "") + url
    if not url.startswith(("http://", "https://")) or not key:
        raise Trouble("The application was not told which endpoint to ask.", SET_THEM, 503)
    # A secret that is delivered as a file: the variable holds its path.
    return Endpoint(url, of, Path(key).read_text().strip() if key.startswith("/") else key)


def refusal(status: int, body: bytes, retry_after: str) -> Trouble:
    """What the endpoint said, as it said it: a problem (RFC 9457) with `detail`, `remedy` and `errors`."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    message = problem.get("detail") or f"The endpoint answered with the status {status}."
    remedy = problem.get("remedy") or "Look at the endpoint's page on the platform."
    if status == 401:
        return Trouble(message, f"Make a key on the endpoint's page. {SET_THEM}")
    if status == 404:
        return Trouble(message, f"Look at the endpoint's page: is it deployed, and is this its address? {SET_THEM}")
    if status == 422:
        errors = problem.get("errors") or []
        wrong = {str(e["column"]): f"{e['message']} {e.get('remedy', '')}".strip() for e in errors if e.get("column")}
        return Trouble(message, remedy, 422, wrong)
    if status in (429, 503) and retry_after:
        remedy = f"{remedy} It takes requests again in about {retry_after} s."
    return Trouble(message, remedy, 503 if status in (429, 503) else 502)
