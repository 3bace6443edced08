"""What every backend promises, tried on each of them with real processes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from modelwright.compute.backends.base import (
    ArchiveSource,
    BackendError,
    Cause,
    Limits,
    Phase,
    SourceError,
    WorkloadKey,
    WorkloadSpec,
)
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.backends.shim.record import is_locked
from modelwright.compute.backends.shutdown import stop_all

from .backends_support import is_alive, new_key, script, wait_for_end, wait_until
from .kinds import Kind, left_over


def log_of(backend: LocalBackend, key: WorkloadKey) -> str:
    path = backend.log_path(key)
    return path.read_text() if path.exists() else ""


def wait_for_log(backend: LocalBackend, key: WorkloadKey, text: str) -> str:
    wait_until(lambda: text in log_of(backend, key), what=f"{text!r} in the log")
    return log_of(backend, key)


def test_exit_code_zero_is_success(backend: LocalBackend) -> None:
    spec = script("print('hello')")
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.exit_code, status.signal) == (Cause.SUCCEEDED, 0, None)
    assert log_of(backend, spec.key) == "hello\n"
    assert status.started_at is not None
    assert status.finished_at is not None
    assert status.started_at <= status.finished_at
    assert status.peak_memory_bytes is not None
    assert status.peak_memory_bytes > 1_000_000


def test_another_exit_code_is_failure_and_kept(backend: LocalBackend) -> None:
    spec = script("raise SystemExit(7)")
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.exit_code) == (Cause.FAILED, 7)
    assert "exit code 7" in status.message


def test_an_exception_is_failure_and_its_traceback_is_in_the_log(backend: LocalBackend) -> None:
    spec = script("raise ValueError('no such column')")
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.exit_code) == (Cause.FAILED, 1)
    assert "ValueError: no such column" in log_of(backend, spec.key)


def test_kill_9_from_outside_is_failure_and_names_the_signal(kind: Kind, backend: LocalBackend) -> None:
    spec = script("import os, time; print(os.getpid()); time.sleep(600)")
    backend.start(spec)
    pid = int(wait_for_log(backend, spec.key, "\n"))
    os.kill(kind.host_pid(spec.key, pid), signal.SIGKILL)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.exit_code, status.signal) == (Cause.FAILED, None, signal.SIGKILL)
    assert "SIGKILL" in status.message


def test_a_missing_program_is_failure_and_is_named(backend: LocalBackend) -> None:
    spec = WorkloadSpec(new_key(), ["/nowhere/python", "train.py"])
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.FAILED
    assert "/nowhere/python" in status.message
    assert "No such file" in log_of(backend, spec.key)


def test_filling_memory_is_out_of_memory(backend: LocalBackend) -> None:
    text = "import time\nkept = []\nwhile True:\n    kept.append(b'x' * 4_000_000)\n    time.sleep(0.005)"
    spec = script(text, limits=Limits(memory_bytes=96 * 1024 * 1024, timeout_seconds=120))
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.OUT_OF_MEMORY
    assert "0.09 GiB" in status.message


def test_memory_of_all_children_together_counts(backend: LocalBackend) -> None:
    text = (
        "import os, time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        kept = b'x' * 40_000_000\n"
        "        time.sleep(600)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]) and 1)"
    )
    spec = script(text, limits=Limits(memory_bytes=96 * 1024 * 1024, timeout_seconds=120))
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.OUT_OF_MEMORY


def test_memory_below_the_limit_is_left_alone(backend: LocalBackend) -> None:
    text = "import time; kept = b'x' * 50_000_000; time.sleep(0.5)"
    spec = script(text, limits=Limits(memory_bytes=160 * 1024 * 1024))
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.SUCCEEDED
    assert status.peak_memory_bytes is not None
    assert 50_000_000 < status.peak_memory_bytes < 160 * 1024 * 1024


def test_an_endless_script_is_timed_out(backend: LocalBackend) -> None:
    spec = script("while True: pass", limits=Limits(timeout_seconds=1, grace_seconds=1))
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.TIMED_OUT
    assert "1 seconds" in status.message


def test_a_script_that_ignores_the_polite_signal_is_timed_out_all_the_same(backend: LocalBackend) -> None:
    # A shell ignores it sooner than an interpreter, which a busy machine may start in more than those two seconds.
    command = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    spec = replace(script(""), command=command, limits=Limits(timeout_seconds=2, grace_seconds=0.5))
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.signal) == (Cause.TIMED_OUT, signal.SIGKILL)


def test_stop_gives_the_script_time_to_clean_up_and_the_cause_is_cancelled(backend: LocalBackend) -> None:
    text = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('cleaned up'), sys.exit(0)))\n"
        "print('ready')\n"
        "while True: time.sleep(1)"
    )
    spec = script(text, limits=Limits(grace_seconds=60))
    backend.start(spec)
    wait_for_log(backend, spec.key, "ready")
    backend.stop(spec.key, message="Cancelled by ana.")
    backend.stop(spec.key, message="A second reason, too late.")
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.message, status.exit_code) == (Cause.CANCELLED, "Cancelled by ana.", 0)
    assert "cleaned up" in log_of(backend, spec.key)


def test_stop_before_start_keeps_the_workload_from_starting(backend: LocalBackend) -> None:
    spec = script("open('ran', 'w')")
    witness = backend.work_folder(spec.key) / "ran"
    backend.stop(spec.key)
    status = backend.start(spec)
    assert (status.phase, status.cause) == (Phase.ENDED, Cause.CANCELLED)
    assert not witness.exists()


def test_stop_after_the_end_changes_nothing(backend: LocalBackend) -> None:
    spec = script("pass")
    backend.start(spec)
    before = wait_for_end(backend, spec.key)
    backend.stop(spec.key)
    assert backend.status(spec.key) == before


@pytest.mark.parametrize("way", ["forked", "daemonised"])
def test_no_descendant_outlives_the_workload(backend: LocalBackend, way: str) -> None:
    detach = "os.setsid()\n    if os.fork(): os._exit(0)" if way == "daemonised" else "pass"
    text = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "there, here = os.pipe()\n"
        "if os.fork() == 0:\n"
        f"    {detach}\n"
        "    print(os.getpid())\n"
        "    os.write(here, b'x')\n"
        "    time.sleep(600)\n"
        "os.read(there, 1)"
    )
    spec = script(text)
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    assert log_of(backend, spec.key).strip().isdigit()
    assert left_over(spec.key) == []


def test_a_second_start_adopts_and_runs_nothing_twice(backend: LocalBackend) -> None:
    spec = script("import time; open('starts', 'a').write('x'); time.sleep(0.5)")
    witness = backend.work_folder(spec.key) / "starts"
    for _ in range(3):
        backend.start(spec)
    wait_for_end(backend, spec.key)
    status = backend.start(spec)
    assert (status.phase, status.cause) == (Phase.ENDED, Cause.SUCCEEDED)
    assert witness.read_text() == "x"


STARTER = """
import json, signal, sys
from modelwright.compute.backends.base import WorkloadKey, WorkloadSpec
from tests.compute.kinds import build
parameters, workload_id, command = json.loads(sys.argv[1])
build(parameters).start(WorkloadSpec(WorkloadKey(workload_id, 1), command))
print("started", flush=True)
signal.pause()
"""


def test_the_workload_outlives_a_killed_starter_and_another_adopts_it(kind: Kind) -> None:
    spec = script("import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\nraise SystemExit(3)")
    order = json.dumps([kind.parameters, spec.key.workload_id, list(spec.command)])
    with subprocess.Popen([sys.executable, "-c", STARTER, order], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "started\n"
        os.killpg(os.getpgid(starter.pid), 0)
        starter.kill()
    other = kind.again()
    wait_until(lambda: [status.phase for status in other.list()] == [Phase.RUNNING], what="the adopted workload")
    other.start(spec)
    (other.work_folder(spec.key) / "go").touch()
    status = wait_for_end(other, spec.key)
    assert (status.cause, status.exit_code) == (Cause.FAILED, 3)


def test_a_supervisor_killed_without_a_record_is_lost_and_its_processes_are_cleared(
    kind: Kind, backend: LocalBackend
) -> None:
    text = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    print(os.getpid())\ntime.sleep(600)"
    spec = script(text)
    backend.start(spec)
    descendant = kind.host_pid(spec.key, int(wait_for_log(backend, spec.key, "\n")))
    os.kill(kind.supervisor_pid(spec.key), signal.SIGKILL)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.LOST
    backend.stop(spec.key)
    wait_until(lambda: not is_alive(descendant), what="the end of the descendant")


def test_a_lost_workload_is_not_started_again(kind: Kind, backend: LocalBackend) -> None:
    spec = script("import time; print('started'); time.sleep(600)")
    backend.start(spec)
    wait_for_log(backend, spec.key, "started\n")
    os.kill(kind.supervisor_pid(spec.key), signal.SIGKILL)
    assert wait_for_end(backend, spec.key).cause is Cause.LOST
    assert backend.start(spec).cause is Cause.LOST
    assert log_of(backend, spec.key) == "started\n"


def test_the_environment_is_exactly_what_the_spec_says(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    given = {"PATH": "/usr/bin:/bin", "GREETING": "grüße = 'a b'", "EMPTY": ""}
    spec = script("import json, os; print(json.dumps(dict(os.environ)))", environment=given)
    backend.start(spec)
    wait_for_end(backend, spec.key)
    seen = json.loads(log_of(backend, spec.key))
    seen.pop("LC_CTYPE", None)  # Python itself sets it in the C locale.
    # Where it could see all GPUs of the host, it is told that none is its own.
    assert seen.pop("CUDA_VISIBLE_DEVICES", "") == ""
    seen.pop("CUDA_DEVICE_ORDER", None)
    assert seen == {**given, "MODELWRIGHT_WORKLOAD": spec.key.name}


def test_secrets_stand_neither_in_a_file_nor_on_a_command_line(backend: LocalBackend) -> None:
    secret = "s3cret-value-of-a-token"
    spec = script("import time; print('ready'); time.sleep(600)", environment={"TOKEN": secret})
    backend.start(spec)
    wait_for_log(backend, spec.key, "ready")
    for path in backend.folder(spec.key).rglob("*"):
        assert not path.is_file() or secret not in path.read_text(errors="replace"), path
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert secret not in lines
    backend.stop(spec.key)
    wait_for_end(backend, spec.key)


def test_the_log_is_bounded_and_keeps_beginning_and_end(backend: LocalBackend) -> None:
    text = "print('first line')\nfor i in range(40_000): print(f'line {i:020d}')\nprint('last line')"
    spec = script(text, limits=Limits(log_bytes=100_000))
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    log = log_of(backend, spec.key)
    assert log.startswith("first line\n")
    assert log.endswith("last line\n")
    assert "the log was cut here" in log
    assert len(log) < 100_000 + 70_000


def test_output_is_in_the_log_while_the_script_runs(backend: LocalBackend) -> None:
    spec = script("import time; print('now', flush=True); time.sleep(600)")
    backend.start(spec)
    wait_for_log(backend, spec.key, "now")
    status = backend.status(spec.key)
    assert status is not None
    assert status.phase is Phase.RUNNING
    backend.stop(spec.key)
    wait_for_end(backend, spec.key)


def test_the_archive_and_the_files_are_in_the_working_folder(backend: LocalBackend, tmp_path: Path) -> None:
    source = make_archive(tmp_path, {"train.py": b"x = 1", "bin/run": b"#!/bin/sh", "link": "bin/run"})
    text = (
        "import os, time\n"
        "print(open('train.py').read(), open('extra/note.txt').read())\n"
        "print(os.readlink('link'), os.access('link', os.X_OK))\n"
        "print(time.time() - os.stat('train.py').st_mtime < 600)"
    )
    spec = script(text, source=source, files={"extra/note.txt": "a note"})
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    assert log_of(backend, spec.key) == "x = 1 a note\nbin/run True\nTrue\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("evil", "/etc/passwd", "'evil' leads to '/etc/passwd'"),
        ("a/evil", "../../escaped", "'a/evil' leads to '../../escaped'"),
        ("evil", "round/..", "'evil' leads to 'round/..'"),
        ("../escaped", b"x", "'../escaped', which would lie outside"),
    ],
)
def test_what_leads_out_of_the_working_folder_is_refused_by_name(
    backend: LocalBackend, tmp_path: Path, name: str, content: bytes | str, said: str
) -> None:
    # Together with `round`, a link that is harmless alone leads out.
    source = make_archive(tmp_path, {"round": ".", name: content})
    with pytest.raises(SourceError, match=re.escape(said)):
        backend.start(script("pass", source=source))
    assert not (backend.root / "escaped").exists()


def test_an_archive_that_was_changed_is_refused(backend: LocalBackend, tmp_path: Path) -> None:
    source = make_archive(tmp_path, {"train.py": b"x = 1"})
    with Path(source.path).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(SourceError, match="another SHA-256"):
        backend.start(script("pass", source=source))


@pytest.mark.parametrize("text", ["", "[1]", '{"phase": "odd"}', '{"phase": "ended", "cause": ["x"]}', '{"phase": []}'])
def test_a_record_that_makes_no_sense_reads_as_lost(backend: LocalBackend, text: str) -> None:
    spec = script("pass")
    backend.start(spec)
    wait_for_end(backend, spec.key)
    wait_until(lambda: not is_locked(str(backend.folder(spec.key) / "lock")), what="the supervisor's end")
    (backend.folder(spec.key) / "status.json").write_text(text)
    assert [status.cause for status in backend.list()] in ([Cause.LOST], [])


def test_an_archive_that_is_not_there_is_refused_with_its_name(backend: LocalBackend, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.tar"):
        backend.start(script("pass", source=ArchiveSource(str(tmp_path / "absent.tar"), "0" * 64)))


def test_a_file_outside_the_working_folder_is_refused(backend: LocalBackend, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="outside"):
        backend.start(script("pass", files={"../../escaped": "x"}))


def test_list_names_what_was_started_until_it_is_removed(backend: LocalBackend) -> None:
    ended, running = script("pass"), script("import time; time.sleep(600)")
    backend.start(ended)
    backend.start(running)
    wait_for_end(backend, ended.key)
    assert {status.key for status in backend.list()} == {ended.key, running.key}
    with pytest.raises(BackendError, match="running"):
        backend.remove(running.key)
    backend.remove(ended.key)
    assert [status.key for status in backend.list()] == [running.key]
    assert not backend.work_folder(ended.key).exists()
    assert backend.log_path(ended.key).exists()
    backend.remove(ended.key, keep_record=False)
    assert not backend.folder(ended.key).exists()
    backend.stop(running.key)
    wait_for_end(backend, running.key)


def test_cpu_is_a_share_by_default_and_a_ceiling_on_request(kind: Kind, backend: LocalBackend) -> None:
    text = "import time; a = time.monotonic()\nwhile time.process_time() < 0.4: pass\nprint(time.monotonic() - a)"
    hard = script(text, limits=Limits(cpu=0.3, cpu_hard=True))
    share = script(text, limits=Limits(cpu=0.3))
    for spec in (hard, share):
        backend.start(spec)
        assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    if kind.bounds_processes and os.access("/sys/fs/cgroup/cpu", os.W_OK):
        assert float(log_of(backend, hard.key)) > 0.8


def test_everything_on_a_host_is_stopped_at_once(backend: LocalBackend) -> None:
    specs = [script("import time; time.sleep(600)") for _ in range(3)]
    for spec in specs:
        backend.start(spec)
    assert stop_all(backend, cause=Cause.CANCELLED, message="The platform was stopped.", seconds=60) == []
    for spec in specs:
        status = backend.status(spec.key)
        assert status is not None
        assert (status.cause, status.message) == (Cause.CANCELLED, "The platform was stopped.")


def test_an_unknown_key_has_no_status(backend: LocalBackend) -> None:
    assert backend.status(new_key()) is None


@pytest.mark.slow
def test_a_fork_bomb_ends_with_the_workload(kind: Kind, backend: LocalBackend) -> None:
    text = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    end = time.monotonic() + 20\n"
        "    while time.monotonic() < end:\n"
        "        try:\n"
        "            if os.fork() == 0: time.sleep(0.01)\n"
        "        except OSError: time.sleep(0.01)\n"
        "time.sleep(1)"
    )
    spec = script(text, limits=Limits(processes=200, memory_bytes=1024**3, timeout_seconds=3, grace_seconds=0.5))
    if not kind.bounds_processes:
        pytest.skip("without cgroups nothing bounds the number of processes")
    backend.start(spec)
    wait_for_end(backend, spec.key)
    assert left_over(spec.key) == []


def make_archive(folder: Path, contents: dict[str, bytes | str]) -> ArchiveSource:
    """A tar of files (bytes, executable below `bin/`) and of symbolic links (text)."""
    path = folder / "source.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size, member.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
                archive.addfile(member, io.BytesIO(content))
    return ArchiveSource(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
