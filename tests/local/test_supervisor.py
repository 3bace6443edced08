"""The supervisor starts programs in order, restarts what crashes and leaves nothing behind."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from modelwright.local.process import Program
from modelwright.local.supervisor import LONGEST_DELAY, Restarts, StartFailed, Supervisor

WRITES_AND_SLEEPS = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WRITES_AND_SLEEPS
HAS_A_CHILD = (
    "import pathlib, subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "file = pathlib.Path(sys.argv[1]); file.write_text(str(child.pid)); time.sleep(600)"
)


def program(folder: Path, name: str, code: str = WRITES_AND_SLEEPS, **changes: object) -> Program:
    file = folder / f"{name}.ready"
    values = {"ready": file.exists, "stop_seconds": 60.0, "ready_seconds": 60.0, **changes}
    return Program(name=name, title=name, argv=[sys.executable, "-c", code, str(file)], env={}, cwd=folder, **values)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.05)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, lines: list[str]) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*programs: Program) -> Supervisor:
        made.append(Supervisor(programs, tmp_path / "logs", lines.append))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop_all()


def test_a_program_waits_for_what_it_comes_after(
    tmp_path: Path, supervise: Callable[..., Supervisor], lines: list[str]
) -> None:
    first = program(tmp_path, "first")
    needs_first = "import pathlib; assert pathlib.Path('first.ready').exists(); " + WRITES_AND_SLEEPS
    supervisor = supervise(program(tmp_path, "second", needs_first, after=("first",)), first)
    supervisor.start_all()
    assert [line.split(" ")[0] for line in lines] == ["first", "second"]


def test_others_wait_for_a_program_that_runs_once(tmp_path: Path, supervise: Callable[..., Supervisor]) -> None:
    once = program(tmp_path, "once", "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", once=True)
    supervisor = supervise(once, program(tmp_path, "next", after=("once",)))
    supervisor.start_all()
    assert supervisor.children["once"].exit_code() == 0
    assert supervisor.children["next"].exit_code() is None


def test_a_crashed_program_is_started_again_and_the_person_is_told(
    tmp_path: Path, supervise: Callable[..., Supervisor], lines: list[str]
) -> None:
    supervisor = supervise(program(tmp_path, "service"))
    supervisor.start_all()
    before = supervisor.children["service"].pid
    os.kill(before, signal.SIGKILL)
    wait_for(supervisor.tick)
    assert supervisor.children["service"].pid != before
    assert supervisor.children["service"].exit_code() is None
    assert "service ended with signal 9; it starts again in 1 s" in lines[-1]


def test_what_cannot_be_started_again_is_tried_later_and_ends_nothing_else(
    tmp_path: Path, supervise: Callable[..., Supervisor], lines: list[str]
) -> None:
    trouble: list[str] = []

    def before_start() -> None:
        if trouble:
            raise OSError(trouble.pop())

    supervisor = supervise(program(tmp_path, "moody", before_start=before_start), program(tmp_path, "other"))
    supervisor.start_all()
    first, other = supervisor.children["moody"].pid, supervisor.children["other"].pid
    trouble.append("No space left on device")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: supervisor.tick() and supervisor.children["moody"].pid != first)
    assert supervisor.children["other"].pid == other
    assert any("No space left on device" in line for line in lines)


def test_a_program_that_fails_at_the_start_is_named_with_the_end_of_its_log(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise(program(tmp_path, "broken", "raise SystemExit('no such colour')"))
    with pytest.raises(StartFailed, match=r"(?s)broken ended with code 1.*no such colour"):
        supervisor.start_all()


def test_stopping_kills_what_does_not_stop_and_says_so(tmp_path: Path, supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(program(tmp_path, "stubborn", IGNORES_TERM, stop_seconds=0.5))
    supervisor.start_all()
    pid = supervisor.children["stubborn"].pid
    assert supervisor.stop_all() == ["stubborn"]
    assert not psutil.pid_exists(pid)


def test_stopping_leaves_no_grandchild_behind(tmp_path: Path, supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(program(tmp_path, "parent", HAS_A_CHILD))
    supervisor.start_all()
    grandchild = psutil.Process(int((tmp_path / "parent.ready").read_text()))
    supervisor.stop_all()
    wait_for(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_what_others_need_is_stopped_last(tmp_path: Path, supervise: Callable[..., Supervisor]) -> None:
    notes_its_end = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    pathlib.Path(sys.argv[1] + '.end').write_text(str(time.time())); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
    ) + WRITES_AND_SLEEPS
    supervisor = supervise(
        program(tmp_path, "database", notes_its_end), program(tmp_path, "user", notes_its_end, after=("database",))
    )
    supervisor.start_all()
    supervisor.stop_all()
    ends = {name: float((tmp_path / f"{name}.ready.end").read_text()) for name in ("database", "user")}
    assert ends["user"] < ends["database"]


def test_waiting_between_restarts_grows_and_starts_anew_after_a_steady_run() -> None:
    plan = Restarts()
    assert [plan.plan(1.0) for _ in range(3)] == [1.0, 2.0, 4.0]
    assert max(plan.plan(1.0) for _ in range(10)) == LONGEST_DELAY
    assert plan.plan(1000.0) == 1.0
