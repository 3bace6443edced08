"""`./modelwright up`: start the platform, keep it running, stop it whole."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from modelwright.local import keeper
from modelwright.local.installation import ADMIN, Installation
from modelwright.local.leftovers import end_workloads
from modelwright.local.progress import Progress
from modelwright.local.state import describe_process, end_leftovers, take, write_platform
from modelwright.local.supervisor import StartFailed, Supervisor

TICK_SECONDS = 0.2


@dataclass
class StopRequest:
    """Set by SIGINT or SIGTERM. The second signal ends this process at once; the kernel then ends its children."""

    wanted: bool = False
    since: float = field(default_factory=time.monotonic)

    def __call__(self) -> bool:
        return self.wanted

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.wanted:
            os._exit(130)
        self.wanted = True

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP from now on."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)


@contextmanager
def platform(installation: Installation, progress: Progress, stop: StopRequest) -> Iterator[Supervisor]:
    """The running platform; leaving the block stops it. Raises `AlreadyRunning` or `StartFailed`."""
    installation.layout.create()
    hold = take(installation.layout)
    try:
        for name in end_leftovers(installation.layout):
            progress.note(f"Ended {name}, left running by a platform that was killed")
        installation.prepare()
        programs = installation.programs()
        progress.expect(sum(bool(program.title) for program in programs))
        supervisor = Supervisor(programs, installation.layout.logs, progress.step, progress.waiting)
        try:
            supervisor.start_all(stop)
            supervisor.report = progress.note
            if not stop():
                installation.layout.admin_created.touch()
            publish(installation, supervisor)
            yield supervisor
        finally:
            _stop(installation, supervisor, progress)
    finally:
        hold.release()


def publish(installation: Installation, supervisor: Supervisor) -> None:
    """Write `platform.json`: where the platform listens and which processes it consists of."""
    running = {name: child for name, child in supervisor.children.items() if child.exit_code() is None}
    write_platform(
        installation.layout,
        {
            "pid": os.getpid(),
            "web_url": installation.web_url,
            "gateway_url": installation.gateway_url,
            "sessions_url": installation.sessions_url,
            "admin": {"username": ADMIN, "password_file": str(installation.layout.admin_password)},
            "environment": installation.addresses(),
            "processes": {name: describe_process(child.pid) for name, child in running.items()},
        },
    )


def keep_running(installation: Installation, supervisor: Supervisor, stop: Callable[[], bool]) -> None:
    """Restart what crashes until `stop()` holds."""
    while not stop():
        if supervisor.tick():
            publish(installation, supervisor)
        time.sleep(TICK_SECONDS)


def up(installation: Installation, progress: Progress) -> int:
    """Run the platform until Ctrl-C. Returns the exit code."""
    stop = StopRequest()
    stop.listen()
    first = not installation.layout.admin_created.exists()
    try:
        with platform(installation, progress, stop) as supervisor:
            if not stop():
                welcome(installation, progress, first)
            keep_running(installation, supervisor, stop)
    except StartFailed as error:
        print(f"\nThe platform could not start: {error}", file=sys.stderr)
        return 1
    return 0


def welcome(installation: Installation, progress: Progress, first: bool) -> None:
    """Say where the page is and how to sign in."""
    password = installation.layout.admin_password.read_text().strip() if first else ""
    progress.note(f"\nModelwright runs at {installation.web_url} (models at {installation.gateway_url}).")
    if first:
        progress.note(f"Sign in as {ADMIN} with the password {password}")
    progress.note(f"The administrator's password is in {installation.layout.admin_password}")
    if os.geteuid() == 0:
        progress.note("Runs and models run as root, as this does: use an account of its own for more than a trial.")
    progress.note("Ctrl-C stops everything.\n")


def _stop(installation: Installation, supervisor: Supervisor, progress: Progress) -> None:
    started = time.monotonic()
    progress.note("\nStopping …")
    killed = supervisor.stop_all()
    # Containers have ended before their keeper did; of processes nobody needs to be asked.
    workloads = end_workloads(keeper.backend(installation.layout, installation.backend))
    for name in killed:
        progress.note(f"{name} did not stop by itself and was killed")
    if workloads:
        progress.note(f"Stopped {workloads} running workload{'s' if workloads > 1 else ''}")
    progress.note(f"Stopped in {time.monotonic() - started:.1f} s")
