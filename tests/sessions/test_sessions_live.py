"""Sessions that run: a real JupyterLab as a process, a real web process; only the loops are turned by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from modelwright_runtime.session import lab

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.base import Cause, WorkloadKey
from modelwright.compute.layout import local_backend, socket_path, work_folder
from modelwright.compute.selectors import log_tail
from projects import source
from projects.models import Project
from sessions import repository, table
from sessions.models import Session, SessionCommand, SessionPolicy, SessionRead, SessionStart
from sessions.services import commit_saved, merge_branch, request_stop, resume_session, want_packages
from sessions.viewing import changes_of
from tests.sessions.conftest import Start, wait_ready
from tests.sessions.kernels import begin_cell, run_cell, type_lines
from tests.sessions.labs import fresh, lab_environment, turn_until
from workspaces.models import DataConnection

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def tree_of(session: Session) -> Path:
    work = work_folder(fresh(session).workload)
    assert work is not None
    return work / "churn"


def shim_pid(session: Session) -> int:
    folder = tree_of(session).parents[1]
    return int(json.loads((folder / "status.json").read_text())["shim_pid"])


def git_in(session: Session, *arguments: str) -> str:
    """What Git says that somebody runs in a terminal there, without the way to the platform."""
    done = subprocess.run(["git", *arguments], cwd=tree_of(session), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def standing_of(session: Session) -> str:
    return git_in(session, "status", "--short", "--branch", "--untracked-files=no").splitlines()[0]


def changed(session: Session) -> list[str]:
    return [one["path"] for one in changes_of(fresh(session))["files"]]


def test_from_a_click_to_work_that_is_saved_committed_and_merged_and_on_after_a_stop(
    start: Start, ann: User, project: Project
) -> None:
    session = start(ann)
    acting = Actor.person(ann)
    # Lab answers on its socket, and the proxy's table says so.
    socket = socket_path(session.workload.key_name)
    assert lab.ask(socket, "/api/status")["kernels"] == 0
    told = lab.ask(socket, "/lab/api/settings/@jupyterlab/apputils-extension:notification")
    assert told["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert {one["name"] for one in lab.ask(socket, "/api/contents?type=directory")["content"]} >= {"notes.md"}
    path = table.table_path(Path(settings.DATA_DIR))
    turn_until(lambda: table.read(path)[session.key].state == "running")
    entry = table.read(path)[session.key]
    assert (entry.target, entry.users) == (str(socket), frozenset({str(ann.pk)}))
    # What is written into the tree is saved by itself; what Git ignores is not.
    (tree_of(session) / "notes.md").write_text("two\n")
    (tree_of(session) / "ignored").mkdir()
    (tree_of(session) / ".ipynb_checkpoints").mkdir()
    (tree_of(session) / ".ipynb_checkpoints" / "notes-checkpoint.ipynb").write_text("{}")
    (tree_of(session) / "ignored" / "cache").write_text("x")
    (tree_of(session) / "large.bin").write_bytes(b"0" * (6 * 1024 * 1024))
    turn_until(lambda: changed(session) == ["notes.md"], lambda: log_tail(fresh(session).workload))
    turn_until(lambda: fresh(session).left_out == ["large.bin"])
    # Committed on its page, and the tree follows.
    commit = commit_saved(session, message="Two", acting_user=acting)
    assert changed(session) == []
    turn_until(lambda: (tree_of(session) / ".git/refs/heads/session/1").read_text().strip() == commit)
    # Git there needs no fetch to know that the platform has it.
    turn_until(lambda: standing_of(session) == "## session/1...origin/session/1", lambda: standing_of(session))
    assert source.head(project) != commit
    merged = merge_branch(session, acting_user=acting)
    assert source.head(project) == merged == commit
    # Stopped in the middle of work: the last words are saved, and the next start has them.
    (tree_of(session) / "draft.py").write_text("print(1)\n")
    before = request_stop(fresh(session), acting_user=acting)
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert changed(session) == ["draft.py"]
    assert fresh(session).token_died_at is not None
    assert before.ending == "ann stopped it."
    wait_ready(resume_session(fresh(session), acting_user=acting))
    assert (tree_of(session) / "draft.py").read_text() == "print(1)\n"
    assert changed(session) == ["draft.py"]
    actions = list(AuditEvent.objects.filter(target_id=str(session.pk)).order_by("id").values_list("action", flat=True))
    assert actions == [
        "session.started",
        "session.committed",
        "session.merged",
        "session.stop-requested",
        "session.ended",
        "session.resumed",
    ]


def test_large_files_that_are_committed_stay_whatever_is_saved_and_committed_on_the_page(
    start: Start, ann: User, project: Project
) -> None:
    acting, session = Actor.person(ann), start(ann)
    tree = tree_of(session)
    large = os.urandom(20 * 1024 * 1024)
    (tree / "model.bin").write_bytes(large)
    (tree / "rows.csv").write_text("a,b\n")
    turn_until(lambda: fresh(session).left_out == ["model.bin"])
    # By itself it is not saved, as that would be so often; whoever wants it kept commits it, and it is pushed.
    git_in(session, "add", "model.bin", "rows.csv")
    git_in(session, "commit", "--quiet", "--message", "Large")
    commit = git_in(session, "rev-parse", "HEAD")
    turn_until(lambda: repository.standing(session).branch == commit, lambda: log_tail(fresh(session).workload))
    turn_until(lambda: standing_of(session) == "## session/1...origin/session/1", lambda: standing_of(session))
    turn_until(lambda: fresh(session).left_out == [])
    assert changed(session) == []
    # What changes in large files is named, and what was committed of them stays in what is saved.
    (tree / "model.bin").write_bytes(large[:-1] + b"x")
    (tree / "rows.csv").write_bytes(b"1,2\n" * 2 * 1024 * 1024)
    (tree / "notes.md").write_text("two\n")
    turn_until(lambda: fresh(session).left_out == ["model.bin", "rows.csv"], lambda: fresh(session).left_out)
    turn_until(lambda: changed(session) == ["notes.md"], lambda: changed(session))
    commit_saved(fresh(session), message="Notes", acting_user=acting)
    merged = merge_branch(session, acting_user=acting)
    with source.FileStream(project, source.read_file(project, merged, "model.bin", 0).digest) as stream:
        assert stream.read() == large
    assert source.read_file(project, merged, "rows.csv").data == b"a,b\n"
    # As it was again, it is no news; gone is gone.
    (tree / "model.bin").write_bytes(large)
    (tree / "rows.csv").unlink()
    turn_until(lambda: (fresh(session).left_out, changed(session)) == ([], ["rows.csv"]), lambda: changed(session))


def test_what_was_saved_is_there_after_the_supervisor_is_killed_and_can_be_committed_then(
    start: Start, ann: User
) -> None:
    session = start(ann)
    (tree_of(session) / "precious.py").write_text("x = 1\n")
    turn_until(lambda: changed(session) == ["precious.py"])
    os.kill(shim_pid(session), signal.SIGKILL)
    turn_until(lambda: fresh(session).is_over)
    assert fresh(session).state == "lost"
    commit = commit_saved(fresh(session), message="Precious", acting_user=Actor.person(ann))
    stand = repository.standing(session)
    assert (stand.branch, stand.ahead) == (commit, 1)
    wait_ready(resume_session(fresh(session), acting_user=Actor.person(ann)))
    assert (tree_of(session) / "precious.py").read_text() == "x = 1\n"


def kill(session: Session, module: str) -> None:
    """`kill -9` of the session's process that runs the module."""
    family = psutil.Process(shim_pid(session)).children(recursive=True)
    found = [one for one in family if module in one.cmdline()]
    assert len(found) == 1, family
    found[0].kill()


def test_a_lab_or_a_session_that_is_killed_says_so_and_goes_on_with_what_was_saved(start: Start, ann: User) -> None:
    session = start(ann)
    (tree_of(session) / "one.py").write_text("x = 1\n")
    # Lab alone: the agent beside it saves what is there, and tells what happened.
    kill(session, "modelwright_runtime.session.run_lab")
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert fresh(session).state == "failed"
    assert fresh(session).ending == "JupyterLab was ended by signal 9 (SIGKILL) that the platform did not send."
    ended = AuditEvent.objects.get(target_id=str(session.pk), action="session.ended")
    assert ended.reason == fresh(session).ending
    assert changed(session) == ["one.py"]
    wait_ready(resume_session(fresh(session), acting_user=Actor.person(ann)))
    (tree_of(session) / "two.py").write_text("x = 2\n")
    turn_until(lambda: changed(session) == ["one.py", "two.py"])
    # All of it: its supervisor tells.
    kill(session, "modelwright_runtime.session")
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert (fresh(session).state, fresh(session).ending) == ("failed", "")
    assert "signal 9 (SIGKILL)" in fresh(session).workload.detail
    wait_ready(resume_session(fresh(session), acting_user=Actor.person(ann)))
    assert [(tree_of(session) / name).read_text() for name in ("one.py", "two.py")] == ["x = 1\n", "x = 2\n"]


def wheel(folder: Path) -> Path:
    """A package without files of its own."""
    path = folder / "tinything-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = "tinything-1.0.dist-info"
        archive.writestr("tinything.py", "VALUE = 3\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", kind)
        archive.writestr(f"{info}/RECORD", f"tinything.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def test_in_a_session_the_platform_is_at_hand_and_what_is_typed_and_installed_is_known(
    start: Start, ann: User, project: Project, web: str, tmp_path: Path
) -> None:
    SessionPolicy.objects.create(project=project, records_commands=True)
    (tmp_path / "a.csv").write_text("1,2\n")
    config = {"path": str(tmp_path)}
    DataConnection.objects.create(workspace=project.workspace, name="lake", kind="directory", config=config)
    session = start(ann)
    socket = socket_path(session.workload.key_name)
    cell = "import os, six\nfrom modelwright_runtime import client\n"
    cell += "print(six.__version__, client.runs(), os.environ['MLFLOW_TRACKING_URI'], os.getcwd())\n"
    cell += "open('out.csv', 'w').write('x')"
    assert run_cell(socket, cell) == f"1.17.0 [] {web}/mlflow {tree_of(session)}\n"
    # It is known what was typed, and what that wrote, when it is over.
    turn_until(lambda: list(SessionCommand.objects.values_list("kind", "text")) == [("cell", cell)])
    # So it is of a terminal, from its first line on, and of what is read of data connections.
    type_lines(socket, "echo fir''st", "echo fir''st", "echo sec''ond")
    typed = SessionCommand.objects.filter(kind="terminal").order_by("offset").values_list("text", flat=True)
    turn_until(
        lambda: list(typed.all()) == ["echo fir''st", "echo fir''st", "echo sec''ond"], lambda: list(typed.all())
    )
    lake = "from modelwright_runtime import client; lake = client.connection('lake')\n"
    assert run_cell(socket, f"{lake}print(lake.open('a.csv').read()); lake.note('public.customers')") == "b'1,2\\n'\n"
    read = SessionRead.objects.order_by("offset").values_list("connection", "kind", "what")
    turn_until(lambda: list(read.all()) == [("lake", "directory", what) for what in ("", "a.csv", "public.customers")])
    # A package goes to the session's own folder, on top of the environment that all share.
    command = ["pip", "install", "-q", "--no-index", str(wheel(tmp_path))]
    assert run_cell(socket, f"import subprocess; subprocess.run({command})") == ""
    assert run_cell(socket, "import tinything; print(tinything.VALUE)") == "3\n"
    assert not list(lab_environment().rglob("tinything*"))
    turn_until(lambda: fresh(session).packages == ["tinything==1.0"])
    want_packages(fresh(session), packages=["tinything==1.0"], acting_user=Actor.person(ann))
    turn_until(lambda: "requirements.txt" in changed(session))
    assert (tree_of(session) / "requirements.txt").read_text() == "six==1.17.0\ntinything==1.0\n"
    # A kernel at work is not idle, however long nobody does anything; one that rests is.
    begin_cell(socket, "import time; time.sleep(30)")
    turn_until(lambda: fresh(session).is_busy)
    Session.objects.filter(pk=session.pk).update(idle_seconds=8)
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert fresh(session).ending == "Nothing was done in it for 8 s."
    ended = SessionStart.objects.get(session=session)
    assert ended.workload.finished_at is not None
    busy_until = SessionCommand.objects.latest("id").at + timedelta(seconds=30)
    assert ended.workload.finished_at > busy_until
    assert ended.observed is not None
    assert "churn/out.csv" in [path for path, _, _ in ended.observed["written"]]


def test_a_life_has_an_end_that_loses_nothing(start: Start, ann: User) -> None:
    session = start(ann)
    workload = fresh(session).workload
    assert workload.timeout_seconds == session.life_seconds
    (tree_of(session) / "late.py").write_text("x\n")
    # As its supervisor ends it when its time is over, but not before it answers, however long that takes here.
    key = WorkloadKey(str(workload.pk), workload.fence or 0)
    local_backend().stop(key, cause=Cause.TIMED_OUT, message="It ran longer than its time limit.")
    turn_until(lambda: fresh(session).is_over)
    assert fresh(session).state == "timed_out"
    assert changed(session) == ["late.py"]
