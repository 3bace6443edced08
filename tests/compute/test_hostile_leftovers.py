"""What a workload leaves on purpose must neither stop its host nor lead it elsewhere."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from models.gateway.addresses import Access, connect
from modelwright.compute import handing_in
from modelwright.compute.backends.base import SourceError
from modelwright.compute.backends.docker.space import SpaceWatch, used_bytes
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.backends.sockets import socket_path
from modelwright.compute.backends.source import prepare_work
from modelwright.compute.backends.trees import remove_tree
from modelwright.compute.models import Host, LogPiece
from modelwright.compute.observing import MAX_FILES, observe, read_regular

from .backends_support import new_key
from .support import fresh, queue
from .test_backends_contract import make_archive
from .test_handing_in import ended
from .test_watcher import key_of

DEEP = "import os\nfor n in range(1500):\n    os.mkdir('d'); os.chdir('d')\n"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def records(work: Path) -> Path:
    folder = work / ".modelwright" / "captured"
    folder.mkdir(parents=True)
    return folder


def test_folders_in_place_of_files_are_passed_over_and_leave_nothing_open(tmp_path: Path) -> None:
    folder = records(tmp_path)
    (folder / "a-folder").mkdir()
    names = [tmp_path / f"folder{number}" for number in range(50)]
    for name in names:
        name.mkdir()
    (tmp_path / "file").write_text("x")
    lines = [f'{{"kind": "read", "path": "{name}"}}\n' for name in (*names, tmp_path / "file")]
    (folder / "1.jsonl").write_text("".join(lines))
    before = open_files()
    assert [file.path for file in observe(tmp_path, []).read] == ["file"]
    assert read_regular(tmp_path / "folder1", 10) == b""
    assert open_files() == before
    assert len(names) < MAX_FILES


def test_records_behind_a_link_are_those_of_somebody_else(tmp_path: Path) -> None:
    other, work = tmp_path / "other", tmp_path / "work"
    (records(other) / "1.jsonl").write_text('{"kind": "process", "pid": 1, "argv": ["secret"]}\n')
    (work / ".modelwright").mkdir(parents=True)
    (work / ".modelwright" / "captured").symlink_to(other / ".modelwright" / "captured")
    assert observe(work, []).processes == []
    assert observe(other, []).processes == [{"pid": 1, "argv": ["secret"]}]


def test_a_very_deep_tree_is_deleted(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    subprocess.run([sys.executable, "-c", DEEP], cwd=deep, check=True)
    remove_tree(deep)
    assert not deep.exists()
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "link").symlink_to(kept)
    remove_tree(tmp_path / "link")
    assert kept.is_dir()


@pytest.mark.django_db(transaction=True)
def test_what_one_workload_left_does_not_hold_up_the_others(
    host: Host, local: ProcessBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (ended(queue("print(1)"), host, local) for _ in range(2))
    whole = handing_in.hand_in

    def broken(workload: object, backend: object) -> bool:
        if workload == first:
            raise RecursionError
        return whole(workload, backend)  # type: ignore[arg-type]

    monkeypatch.setattr(handing_in, "hand_in", broken)
    assert handing_in.tick_runs(local) == 1
    assert (fresh(first).handed_in_at, fresh(second).handed_in_at is not None) == (None, True)


@pytest.mark.django_db(transaction=True)
def test_a_log_that_the_host_lost_does_not_take_along_what_was_sent(host: Host, local: ProcessBackend) -> None:
    workload = ended(queue("print(1)"), host, local)
    LogPiece.objects.create(workload=workload, fence=workload.fence or 0, start=0, data=b"1\n")
    shutil.rmtree(local.folder(key_of(workload)))
    handing_in.tick_runs(local)
    assert fresh(workload).handed_in_at is not None
    assert LogPiece.objects.filter(workload=workload).exists()


def test_a_folder_that_hides_its_size_is_as_good_as_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    look = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "closed")
        return look(path)

    assert used_bytes(tmp_path) < 2**20
    monkeypatch.setattr(os, "scandir", refuse)
    assert used_bytes(tmp_path) == sys.maxsize
    assert "cannot look into" in str(SpaceWatch(2**40).problem(new_key(), tmp_path))


def test_the_gateway_follows_no_link_that_a_replica_put_where_its_socket_was(short_path: Path) -> None:
    other, own = new_key().name, new_key().name
    for name in (other, own):
        (short_path / name).mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path(short_path, other)))
        server.listen()
        connect(str(socket_path(short_path, other)), Access(), timeout=60).close()
        socket_path(short_path, own).symlink_to(Path("..", other, "s"))
        with pytest.raises(FileNotFoundError):
            connect(str(socket_path(short_path, own)), Access(), timeout=60)


def test_an_archive_makes_no_folder_outside(tmp_path: Path) -> None:
    links: dict[str, bytes | str] = {"e": ".", "a": "e/..", "c": "a/..", "c/evil/x": "y"}
    work = tmp_path / "one" / "two" / "work"
    with pytest.raises(SourceError):
        prepare_work(work, source=make_archive(tmp_path, links), files={})
    assert not list(tmp_path.rglob("evil"))
