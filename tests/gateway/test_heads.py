"""Requests whose head came before are read without parsing it again, and mean the same."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from models.gateway import http
from models.gateway.http import Connection, Limits, Request, Site, Slot
from models.gateway.responses import Response


class Repeat:
    """Answers each request with its path and body."""

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        return None

    def refused(self, path: bytes, response: Response) -> Response:
        return response

    def handle(self, request: Request, slot: Slot) -> None:
        slot.answer(Response(200, request.path + b" " + request.authorization + b" " + request.body))


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answers(site: Site, parts: list[bytes]) -> bytes:
    connection, wire = Connection(site), Wire()
    connection.connection_made(wire)
    for part in parts:
        connection.data_received(part)
    return wire.written


BODIES = st.sampled_from([b"{}", b"[]", b"\r\n\r\n", b"{}\r\n", b"a" * 30, request("/b", b"{}")])
REQUESTS = st.lists(st.builds(request, st.sampled_from(["/a", "/b"]), BODIES), min_size=1, max_size=6)


@settings(max_examples=200)
@given(REQUESTS, st.lists(st.integers(0, 700), max_size=8))
def test_known_heads_change_no_answer_however_the_bytes_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(requests)
    ends = sorted({min(cut, len(whole)) for cut in cuts} | {len(whole)})
    parts = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]
    fresh = Site(Repeat(), Limits())
    expected = b"".join(answers(Site(Repeat(), Limits()), [one]) for one in requests)
    assert answers(fresh, parts) == expected
    for one in requests:
        answers(fresh, [one])
    assert fresh.heads
    assert answers(fresh, parts) == expected
    assert answers(fresh, requests) == expected


def test_heads_that_are_never_repeated_do_not_fill_memory() -> None:
    site = Site(Repeat(), Limits())
    for number in range(http.MAX_HEADS + 10):
        answers(site, [request(f"/{number}", b"{}")])
    assert 0 < len(site.heads) <= http.MAX_HEADS
    large = len(site.heads)
    answers(site, [request("/" + "a" * http.MAX_HEAD_KEPT, b"{}")])
    assert len(site.heads) == large


def test_a_head_that_ends_the_connection_or_has_chunks_is_not_kept() -> None:
    site = Site(Repeat(), Limits())
    start = b"POST /a HTTP/1.1\r\nHost: x\r\n"
    answers(site, [start + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"])
    answers(site, [start + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
    assert site.heads == {}
