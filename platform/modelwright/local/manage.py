"""`./modelwright manage …`: Django's command line with the platform's addresses set."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modelwright.local import host_file
from modelwright.local.installation import Installation, from_environment
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.state import is_held, read_platform, take
from modelwright.local.supervisor import Supervisor


class NoInstallation(Exception):
    """The data directory holds no platform; the text says how to name or make one."""


def main(arguments: list[str]) -> int:
    """Run `manage.py` against the running platform, or against its database started for as long as that takes.

    Raises `NoInstallation` where the data directory holds none: a mistyped one must not become another platform.
    """
    layout, arguments = Layout.named_in(arguments)
    check_installed(layout)
    running = read_platform(layout) if is_held(layout) else None
    if running is not None:
        return call(arguments, {**os.environ, **running["environment"]})
    with servers(layout) as installation:
        return call(arguments, installation.environment())


def check_installed(layout: Layout) -> None:
    """Raises `NoInstallation` for a directory that is empty, missing, or a host's of a platform elsewhere."""
    of_a_host = host_file.path(layout).exists() and not layout.admin_created.exists()
    if of_a_host or not layout.secret_key.exists():
        why = "which belongs to a host of a platform elsewhere" if of_a_host else "and nothing was made there"
        new = "<another folder>" if of_a_host else layout.data
        raise NoInstallation(
            f"There is no installation in {layout.data}, {why}. Name the directory of a platform with --data-dir or "
            f"MODELWRIGHT_DATA_DIR; `./modelwright up --data-dir {new}` makes a new one."
        )


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
