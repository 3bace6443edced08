"""A file that is replaced is noticed at once, and where nobody can say so, that does no harm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from models.gateway import table_file, watching
from models.gateway.noticing import noticing
from models.gateway.routes import RouteTable
from models.gateway.watching import RouteWatcher


def test_a_table_that_is_replaced_is_taken_up_without_waiting_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 3600.0)
    taken: list[int] = []

    async def replaced() -> None:
        up = asyncio.Event()

        def apply(table: RouteTable) -> None:
            taken.append(table.revision)
            up.set()

        watcher = asyncio.create_task(RouteWatcher(tmp_path / "routes.json", apply).run())
        await asyncio.sleep(0.1)
        for revision in (1, 2):
            up.clear()
            table_file.replace(tmp_path / "routes.json", {"revision": revision, "endpoints": {}})
            await asyncio.wait_for(up.wait(), 60)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    asyncio.run(replaced())
    assert taken == [1, 2]


def test_a_folder_that_is_not_there_is_not_noticed(tmp_path: Path) -> None:
    async def watch() -> bool:
        with noticing(tmp_path / "none", lambda: None) as works:
            return works

    assert asyncio.run(watch()) is False
