"""Starts the platform's programs in the order they need each other, keeps them running and stops them all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import SubprocessError

from modelwright.local.process import Child, Program, start

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
# Who ran for so long has come up well; what ends it now is another trouble than the one before.
STEADY_SECONDS = 15.0
POLL_SECONDS = 0.05
WAITING_SECONDS = 10.0


class StartFailed(Exception):
    """A program did not come up. The text holds the end of its log."""


@dataclass
class Restarts:
    """How often a program has crashed of late, and when it may start again."""

    count: int = 0
    due: float = 0.0

    def plan(self, ran: float) -> float:
        """Plan the next start after it `ran` for so many seconds; returns the delay. A steady one starts anew."""
        self.count = 1 if ran > STEADY_SECONDS else self.count + 1
        delay: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.count - 1))
        self.due = time.monotonic() + delay
        return delay


@dataclass
class Supervisor:
    """Runs `programs`; `report` gets one line for each thing a person should know, `waiting` the
    names of those that are not ready yet, now and then.

    Use it from the main thread only. After `start_all` call `tick` again and again; `stop_all` may come at any time.
    """

    programs: Sequence[Program]
    logs: Path
    report: Callable[[str], None]
    waiting: Callable[[str], None] = lambda _names: None
    children: dict[str, Child] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)
    restarts: dict[str, Restarts] = field(default_factory=dict)

    def start_all(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Start each program when what it comes after is ready, side by side where that allows.

        Returns when all are ready or `stop()` holds. Raises `StartFailed` when one ends early or takes too long.
        """
        said = time.monotonic()
        while len(self.ready) < len(self.programs) and not stop():
            for program in self.programs:
                if program.name not in self.children and all(name in self.ready for name in program.after):
                    self.children[program.name] = start(program, self.log_of(program))
            for name in [name for name in self.children if name not in self.ready]:
                if self._is_ready(self.children[name]):
                    said = time.monotonic()
            if time.monotonic() - said > WAITING_SECONDS:
                said = time.monotonic()
                self.waiting(", ".join(program.name for program in self.programs if program.name not in self.ready))
            time.sleep(POLL_SECONDS)

    def tick(self) -> bool:
        """Start again what has ended by itself and is due. Returns whether the set of processes changed."""
        changed = False
        for program in self.programs:
            if program.once:
                continue
            child = self.children[program.name]
            plan = self.restarts.setdefault(program.name, Restarts())
            code = child.exit_code()
            if code is not None and plan.due == 0.0:
                self._plan_restart(child, plan, code)
            elif code is not None and time.monotonic() >= plan.due:
                changed = self._start_again(program, plan) or changed
        return changed

    def stop_all(self) -> list[str]:
        """Stop everything in reverse order, those that nobody needs any more side by side.

        Returns the names of programs that had to be killed.
        """
        killed: list[str] = []
        running = dict(self.children)
        while running:
            needed = {name for program in self._among(running) for name in program.after}
            wave = [child for name, child in running.items() if name not in needed]
            for child in wave:
                if child.program.before_stop is not None and child.exit_code() is None:
                    child.program.before_stop()
            for child in wave:
                child.ask_to_stop()
            for child in wave:
                deadline = time.monotonic() + child.program.stop_seconds
                while child.exit_code() is None and time.monotonic() < deadline:
                    time.sleep(POLL_SECONDS)
                if child.exit_code() is None:
                    killed.append(child.program.name)
                child.wait_or_kill(0.1)
                del running[child.program.name]
        self.children.clear()
        self.ready.clear()
        return killed

    def log_of(self, program: Program) -> Path:
        return self.logs / f"{program.name}.log"

    def _among(self, running: dict[str, Child]) -> list[Program]:
        return [child.program for child in running.values()]

    def _is_ready(self, child: Child) -> bool:
        program = child.program
        took = time.monotonic() - child.started
        code = child.exit_code()
        if code is not None and not (program.once and code == 0):
            raise StartFailed(self._failure(child, f"ended with {describe(code)} while it started"))
        if code == 0 or (not program.once and program.ready()):
            if program.when_ready is not None:
                program.when_ready()
            self.ready[program.name] = took
            if program.title:
                self.report(f"{program.title} … {took:.1f} s")
            return True
        if took > program.ready_seconds:
            raise StartFailed(self._failure(child, f"was not ready after {took:.0f} s"))
        return False

    def _plan_restart(self, child: Child, plan: Restarts, code: int) -> None:
        child.wait_or_kill(0.1)
        delay = plan.plan(time.monotonic() - child.started)
        what = f"{child.program.name} ended with {describe(code)}; it starts again in {delay:.0f} s"
        self.report(f"{what}. Its log is {child.log}")

    def _start_again(self, program: Program, plan: Restarts) -> bool:
        """A full disk or process table must not end everything else: it is tried again later."""
        plan.due = 0.0
        try:
            self.children[program.name] = start(program, self.log_of(program))
        except (OSError, SubprocessError) as error:
            delay = plan.plan(0.0)
            self.report(f"{program.name} cannot be started: {error}; it is tried again in {delay:.0f} s")
            return False
        return True

    def _failure(self, child: Child, what: str) -> str:
        return "\n".join([f"{child.program.name} {what}. Its log {child.log} ends:", *child.last_lines()])


def describe(code: int) -> str:
    """An exit code in words: `code 1`, `signal 9`."""
    return f"signal {-code}" if code < 0 else f"code {code}"
