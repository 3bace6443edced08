"""Reading what user code says of itself: nothing outside its folder is hashed, nothing broken is believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.observing import observe


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / ".modelwright" / "captured").mkdir(parents=True)
    return folder


def note(work: Path, *records: Any) -> None:
    lines = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records)
    (work / ".modelwright" / "captured" / "1.jsonl").write_text(lines)


def test_files_are_hashed_and_sorted_into_read_and_written(work: Path) -> None:
    for name in ("in.csv", "out.csv", "train.py"):
        (work / name).write_text(name)
    note(
        work,
        {"kind": "process", "pid": 7, "argv": ["train.py"], "python": "3.11", "other": "x"},
        {"kind": "read", "path": str(work / "in.csv")},
        {"kind": "read", "path": str(work / "train.py")},
        {"kind": "write", "path": str(work / "out.csv")},
        {"kind": "read", "path": str(work / "out.csv")},
    )
    observed = observe(work, ["train.py"])
    assert [f.path for f in observed.read] == ["in.csv"]
    assert [(f.path, f.sha256) for f in observed.written] == [("out.csv", hashlib.sha256(b"out.csv").hexdigest())]
    assert observed.processes == [{"pid": 7, "python": "3.11", "argv": ["train.py"]}]
    assert not observed.truncated


def test_nothing_outside_is_touched(work: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    (work / "link").symlink_to(secret)
    (work / "folder").symlink_to(tmp_path)
    os.mkfifo(work / "pipe")
    paths = [secret, work / "link", work / "folder" / "secret", work / "pipe", work / ".." / "secret", "/etc/passwd"]
    note(work, *({"kind": "read", "path": str(path)} for path in paths), {"kind": "write", "path": str(work)})
    observed = observe(work, [])
    assert observed.read == observed.written == []


def test_broken_records_are_left_out(work: Path) -> None:
    (work / "a").write_text("a")
    note(
        work,
        "{",
        "[1]",
        "null",
        {"kind": "read"},
        {"kind": "read", "path": 3},
        {"kind": "read", "path": "\ud800"},
        {"kind": "read", "path": str(work / "gone")},
        {"kind": "process", "argv": "x", "pid": []},
        "[" * 100_000,
        {"kind": "read", "path": str(work / "a")},
    )
    assert [f.path for f in observe(work, []).read] == ["a"]


def test_a_notes_file_that_is_a_link_is_not_followed(work: Path, tmp_path: Path) -> None:
    (work / "a").write_text("a")
    (tmp_path / "notes").write_text(json.dumps({"kind": "read", "path": str(work / "a")}))
    (work / ".modelwright" / "captured" / "2.jsonl").symlink_to(tmp_path / "notes")
    assert observe(work, []).read == []


def test_too_many_files_are_cut_and_said_so(work: Path) -> None:
    for number in range(510):
        (work / str(number)).write_text("x")
    note(work, *({"kind": "write", "path": str(work / str(number))} for number in range(510)))
    observed = observe(work, [])
    assert len(observed.written) == 500
    assert observed.truncated


def test_no_notes_is_no_error(tmp_path: Path) -> None:
    assert observe(tmp_path / "gone", []).processes == []
