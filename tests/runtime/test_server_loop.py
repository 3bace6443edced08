"""The model server's loop is uvloop's where the environment of the model has it."""

from __future__ import annotations

import asyncio
import sys

import pytest
from modelwright_runtime.server.__main__ import _run


async def _noted(loops: list[str]) -> None:
    loops.append(type(asyncio.get_running_loop()).__module__.partition(".")[0])


def test_it_is_that_of_uvloop_where_that_is_installed() -> None:
    loops: list[str] = []
    _run(_noted(loops))
    assert loops == ["uvloop"]


def test_it_is_that_of_python_where_uvloop_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loops: list[str] = []
    _run(_noted(loops))
    assert loops == ["asyncio"]
