"""`./modelwright demo`: start the platform, do its main job, stay up."""

import sys
import time
import traceback
from threading import Event, Thread

from modelwright.local.demo.client import Refused, sign_in
from modelwright.local.demo.steps import Demonstration, Outcome
from modelwright.local.installation import ADMIN, Installation
from modelwright.local.progress import Progress
from modelwright.local.supervisor import StartFailed, Supervisor
from modelwright.local.up import TICK_SECONDS, StopRequest, platform, publish


def run(installation: Installation, progress: Progress, *, leave: bool) -> int:
    """Run the demonstration. With `leave` the platform stops at the end. Returns the exit code."""
    stop = StopRequest()
    stop.listen()
    try:
        with platform(installation, progress, stop) as supervisor:
            work = Work(installation, progress, stop)
            work.start()
            _keep_running(installation, supervisor, stop, work, leave=leave)
    except StartFailed as error:
        print(f"\nThe platform could not start: {error}", file=sys.stderr)
        return 1
    return 1 if work.failed else 0


def _keep_running(
    installation: Installation, supervisor: Supervisor, stop: StopRequest, work: "Work", *, leave: bool
) -> None:
    """What `up` does, beside the demonstration's own thread: only the main thread may start processes."""
    while not stop() and not (work.failed or (leave and work.done.is_set())):
        if supervisor.tick():
            publish(installation, supervisor)
        time.sleep(TICK_SECONDS)
    work.give_up.set()


class Work(Thread):
    """The demonstration in a thread of its own. `done` is set at its end; `failed` tells how it went."""

    def __init__(self, installation: Installation, progress: Progress, stop: StopRequest) -> None:
        super().__init__(name="demonstration", daemon=True)
        self.installation, self.progress, self.stop = installation, progress, stop
        self.done, self.give_up = Event(), Event()
        self.failed = False

    def run(self) -> None:
        if self.stop():
            return
        started = time.monotonic()
        try:
            outcome = self._demonstrate()
        except Exception as error:
            if not self.give_up.is_set() and not self.stop():
                self.failed = True
                self._explain(error)
            return
        self.progress.note(f"\nThe demonstration took {time.monotonic() - started:.0f} s.")
        self._say_goodbye(outcome)
        self.done.set()

    def _demonstrate(self) -> Outcome:
        password = self.installation.layout.admin_password.read_text().strip()
        # It takes minutes: whoever wants to can look on meanwhile.
        self.progress.note(f"\nThe pages are at {self.installation.web_url} already: sign in as {ADMIN}; the password")
        self.progress.note(f"is in {self.installation.layout.admin_password}")
        client = sign_in(self.installation.web_url, ADMIN, password, "demonstration")
        steps = Demonstration(client, self.progress.note, self.give_up)
        return steps.run()

    def _explain(self, error: Exception) -> None:
        self.progress.note(f"\nThe demonstration failed: {error}")
        if not isinstance(error, Refused | TimeoutError):
            traceback.print_exc()
        self.progress.note(f"The logs are in {self.installation.layout.logs}")

    def _say_goodbye(self, outcome: Outcome) -> None:
        layout = self.installation.layout
        note = self.progress.note
        note(f"\nThe page     {outcome.page}")
        note(f"Sign in as   {ADMIN}, password {layout.admin_password.read_text().strip()}")
        note(f"             (kept in {layout.admin_password})")
        if outcome.application:
            note(f"Application  {outcome.application}")
        note(f"Try it       {outcome.curl}")
        note("\nCtrl-C stops everything.\n")
