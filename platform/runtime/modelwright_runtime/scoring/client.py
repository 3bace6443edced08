"""Speaks to the platform with the job's own token, which is worth nothing once the job is over."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from .errors import ScoringError

TOKEN, ADDRESS = "MODELWRIGHT_SCORING_TOKEN", "MODELWRIGHT_PLATFORM"
PATIENCE_SECONDS = 900.0
LONGEST_PAUSE_SECONDS = 15.0
TIMEOUT_SECONDS = 300.0
T = TypeVar("T")
Body = bytes | Callable[[], IO[bytes]] | None


class Gone(Exception):
    """The platform no longer takes anything of this process: the job was cancelled, or another attempt has begun."""


class Platform:
    """The platform's side of one batch job."""

    def __init__(self, address: str, token: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._address = address.rstrip("/")
        self._token = token
        self._patience = patience

    @classmethod
    def of_environment(cls) -> Platform:
        """As the workload's variables say. The token leaves them: the model's code is not given it."""
        return cls(os.environ[ADDRESS], os.environ.pop(TOKEN))

    def job(self) -> dict[str, Any]:
        """What is to be done, and what is stored already."""
        return dict(self._ask("GET", "/scoring/job/", json.load))

    def input(self, path: Path) -> None:
        """Fetch the file to score."""
        self._ask("GET", "/scoring/input/", lambda answer: _save(answer, path))

    def total(self, rows: int, fetched: tuple[str, int] | None = None) -> None:
        """Say how many rows there are, and the SHA-256 and size of a file that the process fetched by itself."""
        facts: dict[str, Any] = {"rows": rows}
        if fetched is not None:
            facts["sha256"], facts["size"] = fetched
        self._ask("POST", "/scoring/total/", _nothing, json.dumps(facts).encode())

    def store(self, number: int, header: bytes, part: bytes) -> None:
        """Hand over a chunk: what stands on record, in JSON, and its part of the output. Twice is harmless."""
        self._ask("POST", f"/scoring/chunks/{number}/", _nothing, struct.pack(">I", len(header)) + header + part)

    def part(self, number: int, path: Path) -> None:
        """Fetch the output's part of a chunk that is stored."""
        self._ask("GET", f"/scoring/chunks/{number}/", lambda answer: _save(answer, path))

    def output(self, path: Path) -> None:
        """Hand over the whole output, where it is not the sum of its parts."""
        self._ask("POST", "/scoring/output/", _nothing, lambda: path.open("rb"), size=path.stat().st_size)

    def end(self, **facts: Any) -> None:
        """Say that all is done (`rows`, `chunks`), or why it cannot be (`message`, `remedy`)."""
        self._ask("POST", "/scoring/end/", _nothing, json.dumps(facts).encode())

    def _ask(
        self, method: str, path: str, read: Callable[[Any], T], body: Body = None, *, size: int | None = None
    ) -> T:
        """One request, repeated while the platform does not answer. Raises `Gone` and `ScoringError`."""
        deadline, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                return self._once(method, path, read, body, size)
            except urllib.error.HTTPError as error:
                trouble = f"it answered {error.code}"
                if error.code < 500 and error.code != 429:
                    raise _refused(error) from None
            except (OSError, http.client.HTTPException) as error:
                trouble = str(error)
            if time.monotonic() + pause > deadline:
                raise ScoringError(
                    f"The platform could not be reached for {self._patience:.0f} s: {trouble}.",
                    "See whether it runs and whether this host reaches it, then try again: what is stored stays.",
                )
            print(f"The platform does not answer ({trouble}); trying again in {pause:.0f} s.", flush=True)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _once(self, method: str, path: str, read: Callable[[Any], T], body: Body, size: int | None) -> T:
        data: Any = body() if callable(body) else body
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/octet-stream"
        if size is not None:
            headers["Content-Length"] = str(size)
        request = urllib.request.Request(self._address + path, data=data, headers=headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the platform's own
            return read(answer)


def _refused(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = json.loads(error.read(100_000))
        message, remedy = str(problem["detail"]), str(problem.get("remedy", ""))
    except (ValueError, KeyError, TypeError):
        message, remedy = f"The platform answered {error.code}.", ""
    return Gone(message) if error.code == 401 else ScoringError(message, remedy)


def _save(answer: Any, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(answer, file, 1024 * 1024)
    expected = answer.headers.get("Content-Length")
    if expected is not None and int(expected) != path.stat().st_size:
        raise http.client.IncompleteRead(b"")


def _nothing(answer: Any) -> None:
    answer.read()
