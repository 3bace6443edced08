"""`./modelwright manage …`: Django's command line with the platform's addresses set."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modelwright.local.installation import Installation, from_environment
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.state import is_held, read_platform, take
from modelwright.local.supervisor import Supervisor


def main(arguments: list[str]) -> int:
    """Run `manage.py` against the running platform, or against its database started for as long as that takes."""
    layout, arguments = Layout.named_in(arguments)
    running = read_platform(layout) if is_held(layout) else None
    if running is not None:
        return call(arguments, {**os.environ, **running["environment"]})
    with servers(layout) as installation:
        return call(arguments, installation.environment())


@contextmanager
def servers(layout: Layout) -> Iterator[Installation]:
    """The embedded servers of a platform that does not run, for as long as the block takes. Raises `AlreadyRunning`."""
    layout.create()
    installation = from_environment(layout)
    hold = take(layout)
    supervisor = Supervisor([], layout.logs, lambda _line: None)
    try:
        installation.prepare()
        supervisor.programs = installation.servers()
        supervisor.start_all()
        yield installation
    finally:
        supervisor.stop_all()
        hold.release()


def call(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run `manage.py` and return its exit code."""
    command = [sys.executable, "manage.py", *(arguments or ["help"])]
    return subprocess.run(command, cwd=REPOSITORY, env=dict(environment), check=False).returncode
