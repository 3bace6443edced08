"""A fault on the way through a graph costs the request that met it, and never leaves its client waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from models.gateway.addresses import Access
from models.gateway.admission import Bounds
from models.gateway.batching import Outlet
from models.gateway.fleet import Fleet
from models.gateway.graphs import running
from models.gateway.graphs.running import Outcomes, Walks
from models.gateway.graphs.walking import Walk
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.responses import Response
from models.gateway.routes import Match, Target, parse
from tests.gateway.processes import endpoint, target
from tests.gateway.test_recording import table_of

NODE = {"model": "wine", "version": 1, "model_version_id": target("wine", 1)["model_version_id"]}
GRAPH = {"name": "wine", "start": "first", "nodes": {"first": NODE}}


def broken(*_args: Any, **_more: Any) -> Any:
    raise ArithmeticError("a fault of ours")


class Clients:
    """Walks whose node has no replica, and what their clients are told."""

    def __init__(self) -> None:
        self.told: list[Failure] = []
        self.unreachable: list[Pending] = []
        outlet = Outlet(self._through, self._failed, lambda _: None, lambda *_: None, lambda *_: None)
        self.fleet = Fleet(outlet, Access(), Bounds())
        self.walks = Walks(self.fleet, Outcomes(self._through, self.told.append, self.unreachable.append))

    def _through(self, results: Sequence[Prediction]) -> None:
        self.walks.through(results)

    def _failed(self, failure: Failure) -> None:
        self.walks.failed(failure)

    def ask(self) -> Failure:
        """The failure of one request; it is there at once."""
        graph_target = self.target()
        assert graph_target.graph is not None
        self.walks.begin(pending_of(graph_target), graph_target.graph)
        assert self.walks.is_idle
        (failure,) = self.told
        return failure

    def target(self) -> Target:
        whole = {**endpoint(1, {**target("wine", 1, "/s/1", weight=0, signature=None), "role": "node"}), "graph": GRAPH}
        table = parse(table_of({"acme/wine": whole}))
        assert not table.troubles
        return table.endpoints["acme/wine"].weighted[0]


def pending_of(found: Target) -> Pending:
    table = parse(table_of({"acme/wine": endpoint(1, target("wine", 1, "/s/1", signature=None))}))
    match = Match(table.endpoints["acme/wine"], "own", "predict")
    now = time.monotonic()
    return Pending(
        match, found, "k", [{"a": 1}], lambda _: None, encode=lambda *_: Response(200, b""), at=0.0, received=now,
        deadline=now + 5, size=10,
    )  # fmt: skip


@pytest.mark.parametrize("at", ["begin", "failed"])
def test_a_fault_of_the_walk_is_the_clients_answer(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, at, broken)
    failure = Clients().ask()
    assert (failure.response.status, failure.code) == (502, "cannot_go_on")
    assert "first" in failure.message


def test_a_fault_in_making_a_question_is_the_clients_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.Walks, "_ask", broken)
    failure = Clients().ask()
    assert (failure.response.status, failure.code) == (502, "cannot_go_on")
    assert failure.pending.facts is not None
    assert failure.pending.facts["nodes"][0]["error"] == {"code": "cannot_go_on"}
