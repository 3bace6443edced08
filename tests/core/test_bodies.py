"""Bodies are bounded before an application reads them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from modelwright.asgi import BODIES
from modelwright.core.bodies import Bodies, Receive, Send

FEW = Bodies(usual=10, larger={"uploads": 100})


class Told:
    """An application that reads the whole body, and what it got."""

    def __init__(self) -> None:
        self.body = b""
        self.was_cut = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.was_cut = True
                break
            self.body += message["body"]
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def ask(path: str, pieces: list[bytes], length: int | None = None, *, known: bool = True) -> tuple[Told, list[Any]]:
    """Send the pieces as somebody whom it knows, or does not; what the application got, and what was answered."""
    told, answers, left = Told(), list[Any](), list(pieces)

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "path": path, "headers": headers}

    async def is_known(_: Any) -> bool:
        return known

    asyncio.run(FEW.bounded(told, scope, receive, send, is_known=is_known))
    return told, answers


def test_what_fits_is_handed_on_piece_by_piece() -> None:
    told, answers = ask("/api/v1/things/", [b"12345", b"67890"])
    assert (told.body, told.was_cut) == (b"1234567890", False)
    assert answers[0]["status"] == 200


def test_a_length_that_is_announced_is_refused_before_the_body_comes() -> None:
    told, answers = ask("/api/v1/things/", [b"x"], length=11)
    assert (told.body, answers[0]["status"]) == (b"", 413)
    assert json.loads(answers[1]["body"])["remedy"]


def test_a_body_of_unknown_length_is_cut_at_the_limit_and_answered_once() -> None:
    told, answers = ask("/api/v1/things/", [b"12345", b"678901", b"never read"])
    assert (told.body, told.was_cut) == (b"12345", True)
    assert [answer.get("status") for answer in answers] == [413, None]


def test_addresses_for_files_take_more() -> None:
    assert ask("/projects/7/uploads/", [b"x" * 100])[1][0]["status"] == 200
    assert ask("/projects/7/uploads/", [b"x" * 101])[1][0]["status"] == 413
    assert ask("/uploads/12/", [b"x" * 100])[1][0]["status"] == 200


def test_strangers_send_no_more_than_usual_wherever_they_send_it() -> None:
    """Django writes a body to disk before it asks who sent it: 64 GiB of them would fill it."""
    told, answers = ask("/uploads/", [b"x" * 11], length=11, known=False)
    assert (told.body, answers[0]["status"]) == (b"", 401)
    told, answers = ask("/uploads/", [b"12345", b"678901", b"never read"], known=False)
    assert (told.body, told.was_cut) == (b"12345", True)
    assert [answer.get("status") for answer in answers] == [401, None]
    assert ask("/uploads/", [b"x" * 101], length=101, known=False)[1][0]["status"] == 413
    assert ask("/uploads/", [b"x" * 10], known=False)[1][0]["status"] == 200


@pytest.mark.parametrize(
    ("path", "is_large"),
    [
        ("/api/v1/projects/01a2/batch-inputs/", True),
        ("/projects/01a2/batch-jobs/new/", True),
        ("/scoring/output/", True),
        ("/scoring/chunks/17/", True),
        ("/api/v1/projects/01a2/batch-jobs/", False),
        ("/login/", False),
    ],
)
def test_only_what_takes_files_takes_much(path: str, is_large: bool) -> None:
    assert (BODIES.limit(path) > BODIES.usual) is is_large
