"""What `up --backend docker` allows its containers."""

from __future__ import annotations

from pathlib import Path

from modelwright.local import keeper
from modelwright.local.layout import Layout

BASE = {"MODELWRIGHT_RUNTIME_SOURCE": "/src/runtime", "MODELWRIGHT_UV": "/bin/uv", "PATH": "/bin"}
ADDRESSES = ("http://127.0.0.1:8000", "https://models.example")


def values(layout: Layout, name: str, **environment: str) -> list[str]:
    given = keeper.options(layout, {**BASE, **environment}, ADDRESSES)
    return [given[at + 1] for at, part in enumerate(given) if part == name]


def test_containers_reach_the_platform_and_read_what_is_theirs(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert values(layout, "--relay") == ["127.0.0.1:8000", "models.example:443"]
    assert values(layout, "--root") == [str(tmp_path / "workloads")]
    assert str(tmp_path / "models") in values(layout, "--readable")
    assert str(tmp_path) not in values(layout, "--readable")
    assert values(layout, "--writable") == [str(layout.sockets)]
    assert values(layout, "--allow-image") == []


def test_an_administrator_says_what_else_is_allowed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert values(layout, "--allow-image", MODELWRIGHT_IMAGES="a/*,b:1") == ["a/*", "b:1"]
    assert values(layout, "--image", MODELWRIGHT_IMAGE="own:1") == ["own:1"]
    assert values(layout, "--network", MODELWRIGHT_CONTAINER_NETWORK="jobs") == ["jobs"]
    assert values(layout, "--sources", MODELWRIGHT_BLOBS="/mnt/blobs") == ["/mnt/blobs"]


def test_installations_on_one_engine_are_told_apart(tmp_path: Path) -> None:
    assert keeper.instance(Layout(tmp_path / "a")) != keeper.instance(Layout(tmp_path / "b"))


def test_the_keeper_does_not_know_the_databases(tmp_path: Path) -> None:
    program = keeper.program(Layout(tmp_path), {**BASE, "DATABASE_URL": "postgresql://x", "REDIS_URL": "y"}, ADDRESSES)
    assert program.env == BASE
