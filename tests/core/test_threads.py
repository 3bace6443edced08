"""Threads of requests are used again, never by two at once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_token
from modelwright.asgi import THREADS, Web
from modelwright.core.threads import Threads


async def thread_of(threads: Threads, *, until: asyncio.Barrier | None = None) -> int:
    """Where a request's synchronous code ran, in the context that Django makes; it lasts until all others have come."""
    async with threads.one(), ThreadSensitiveContext():
        first = await sync_to_async(threading.get_ident)()
        if until is not None:
            await until.wait()
        assert await sync_to_async(threading.get_ident)() == first
    return int(first)


async def settled(threads: Threads, idle: int) -> None:
    """A thread comes back a moment after the request it worked for: wait until so many have, and no more come."""
    before = -1
    async with asyncio.timeout(60):
        while len(threads._idle) < idle or before != len(threads._idle):
            before = len(threads._idle)
            await asyncio.sleep(0.02)


def test_one_request_after_the_other_runs_on_the_same_thread() -> None:
    async def both() -> tuple[int, int]:
        threads = Threads(most_idle=2)
        first = await thread_of(threads)
        await settled(threads, 1)
        return first, await thread_of(threads)

    first, second = asyncio.run(both())
    assert first == second != threading.get_ident()


def test_requests_at_the_same_time_have_threads_of_their_own_and_only_so_many_are_kept() -> None:
    async def many() -> tuple[set[int], int]:
        threads, until = Threads(most_idle=2), asyncio.Barrier(5)
        found = set(await asyncio.gather(*(thread_of(threads, until=until) for _ in range(5))))
        await settled(threads, 2)
        return found, len(threads._idle)

    found, kept = asyncio.run(many())
    assert len(found) == 5
    assert kept == 2


def test_a_thread_that_still_works_for_a_request_that_was_given_up_is_nobody_elses() -> None:
    async def given_up() -> tuple[int, int, int]:
        threads, go_on = Threads(most_idle=2), threading.Event()
        at_work: list[int] = []

        def work() -> None:
            at_work.append(threading.get_ident())
            go_on.wait(30)

        async def request() -> None:
            async with threads.one():
                await sync_to_async(work)()

        asked = asyncio.create_task(request())
        while not at_work:
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.sleep(0.05)
        other = await thread_of(threads)
        go_on.set()
        await asyncio.gather(asked, return_exceptions=True)
        await settled(threads, 2)
        return at_work[0], other, len(threads._idle)

    busy, other, kept = asyncio.run(given_up())
    assert busy != other
    assert kept == 2


@pytest.mark.django_db(transaction=True)
def test_requests_one_after_the_other_connect_to_the_database_once(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = create_token(name="tests", acting_user=Actor.person(admin))
    made: list[int] = []
    connect = DatabaseWrapper.get_new_connection

    def counted(self: Any, parameters: Any) -> Any:
        made.append(threading.get_ident())
        return connect(self, parameters)

    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", counted)
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/me/", "query_string": b"", "headers": headers}

    async def three() -> list[int]:
        statuses, communicate = [], ApplicationCommunicator
        for _ in range(3):
            idle = max(1, len(THREADS._idle))
            client: Any = communicate(Web(), dict(scope))  # type: ignore[no-untyped-call]
            await client.send_input({"type": "http.request", "body": b""})
            statuses.append((await client.receive_output(30))["status"])
            await client.wait(30)
            await settled(THREADS, idle)
        async with THREADS.one():
            await sync_to_async(connections.close_all)()
        return statuses

    assert asyncio.run(three()) == [200, 200, 200]
    assert len(made) == 1
    assert made[0] != threading.get_ident()
