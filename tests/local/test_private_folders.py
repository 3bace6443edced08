"""Other people of the machine look into nothing of a data directory."""

from __future__ import annotations

import stat
from pathlib import Path

from modelwright.local.layout import Layout

OPEN = {"postgres", "static"}


def modes(data: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir() if path.is_dir()}


def test_what_people_store_is_closed_to_everybody_else(tmp_path: Path) -> None:
    Layout(tmp_path / "d").create()
    found = modes(tmp_path / "d")
    assert {"blobs", "gateway", "logs", "mlflow", "redis", "workloads", "secrets", "sockets"} <= set(found)
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


def test_one_that_an_earlier_release_left_open_is_closed_when_it_starts(tmp_path: Path) -> None:
    for name in ("gateway/spool", "blobs/ab", "logs", "redis", "static"):
        (tmp_path / name).mkdir(parents=True, mode=0o755)
    Layout(tmp_path).create()
    assert {name for name, mode in modes(tmp_path).items() if mode & 0o077} <= OPEN
    assert (tmp_path / "gateway" / "spool").is_dir()
