"""Whatever tables follow each other while requests wait and replicas work, every request is answered."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.test_replicas import Talking, doubling, predictions, serving

NAMES = "abc"
# A table by the names of its replicas, a request, or a replica that begins or ceases to answer.
TABLES = ("a", "b", "ab", "bc", "abc", "c")
STEPS = st.one_of(st.sampled_from(TABLES), st.just("ask"), st.sampled_from([f"turn {name}" for name in NAMES]))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25))
@example(["ask", "ask", "b", "a", "ask"])
@example(["ask", "ask", "ab", "turn a"])
@example(["turn b", "ask", "ab", "ask", "ask", "abc", "turn a", "ask", "b", "ask", "ab"])
def test_every_request_is_answered_whatever_tables_come_and_go(steps: list[str]) -> None:
    directory = Path(tempfile.mkdtemp(prefix="mwg-", dir="/tmp"))
    try:
        asyncio.run(_go(directory, steps))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _go(directory: Path, steps: list[str]) -> None:
    replicas = {name: Talking(directory / name, doubling) for name in NAMES}
    async with serving(directory, *replicas.values()) as gateway:
        asked = []
        for number, step in enumerate(steps):
            if step == "ask":
                asked.append((number, gateway.ask(number)))
            elif step.startswith("turn "):
                replica = replicas[step[-1]]
                if replica.let_go.is_set():
                    replica.let_go.clear()
                else:
                    replica.let_go.set()
            else:
                gateway.publish(*(replicas[name] for name in step), deployment=number)
            await asyncio.sleep(0.002)
        for replica in replicas.values():
            replica.let_go.set()
        async with asyncio.timeout(60):
            for number, answer in asked:
                assert predictions(await answer) == [number * 2]
        assert gateway.application.fleet.is_idle()
