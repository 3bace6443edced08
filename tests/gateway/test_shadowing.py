"""What waits for shadows is shared: a slow one silences its own endpoint's shadow at most."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models.gateway import batching
from models.gateway.addresses import Access
from models.gateway.admission import Bounds
from models.gateway.batching import Outlet
from models.gateway.fleet import Fleet
from models.gateway.pending import Failure, Pending
from models.gateway.responses import Response
from models.gateway.routes import Endpoint, Match, parse
from models.gateway.shadowing import ASKED, BOUNDS, LEFT_OUT, Shadowing
from tests.gateway.processes import RECORD, endpoint, target
from tests.gateway.test_recording import table_of


def with_shadow(name: str, directory: Path) -> dict[str, Any]:
    shadow = {**target("wine", 2, directory / f"{name}.sock", weight=0), "role": "shadow"}
    whole = endpoint(1, {**target("wine", 1, directory / "live.sock"), "role": "live"}, shadow)
    return {**whole, "endpoint_id": f"id of {name}"}


def answered(found: Endpoint, size: int) -> Pending:
    now = time.monotonic()
    return Pending(
        Match(found, "own", "predict"), found.weighted[0], "k", [RECORD], lambda _: None,
        encode=lambda *_: Response(200, b""), at=0.0, received=now, deadline=now + 5, size=size,
    )  # fmt: skip


@pytest.mark.parametrize("size", [100, BOUNDS.body_bytes // 64])
def test_a_shadow_that_hangs_leaves_room_for_those_of_others(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "GRACE_SECONDS", 600.0)
    counts: Counter[tuple[str, str]] = Counter()

    async def ask_all() -> None:
        table = parse(table_of({f"acme/{name}": with_shadow(name, tmp_path) for name in ("slow", "other", "third")}))
        assert not table.troubles
        failed: list[Failure] = []
        outlet = Outlet(lambda _: None, failed.append, lambda _: None, lambda *_: None, lambda *_: None)
        fleet = Fleet(outlet, Access(), Bounds())
        fleet.apply(table)
        shadowing = Shadowing(
            fleet, timeout=60, failed=failed.append, count=lambda name, outcome: counts.update([(name, outcome)])
        )
        for _ in range(400):
            shadowing.ask(answered(table.endpoints["acme/slow"], size), "id")
        for name in ("acme/other", "acme/third"):
            for _ in range(10):
                shadowing.ask(answered(table.endpoints[name], size), "id")
        fleet.close()

    asyncio.run(ask_all())
    most = min(BOUNDS.requests, BOUNDS.body_bytes // size) // 2
    assert counts["acme/slow", ASKED] == most
    assert counts["acme/slow", LEFT_OUT] == 400 - most
    for name in ("acme/other", "acme/third"):
        assert counts[name, LEFT_OUT] <= (0 if size == 100 else 5)
        assert counts[name, ASKED] >= (10 if size == 100 else 5)
