"""`./modelwright manage …`: Django's command line with the platform's addresses set."""

import os
import subprocess
import sys
from collections.abc import Mapping

from modelwright.local.installation import from_environment
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.state import is_held, read_platform, take
from modelwright.local.supervisor import Supervisor


def main(arguments: list[str]) -> int:
    """Run `manage.py` against the running platform, or against its database started for as long as that takes."""
    layout = Layout.from_environment()
    running = read_platform(layout) if is_held(layout) else None
    if running is not None:
        return call(arguments, {**os.environ, **running["environment"]})
    layout.create()
    installation = from_environment(layout)
    hold = take(layout)
    supervisor = Supervisor([], layout.logs, lambda _line: None)
    try:
        installation.prepare()
        supervisor.programs = installation.servers()
        supervisor.start_all()
        return call(arguments, installation.environment())
    finally:
        supervisor.stop_all()
        hold.release()


def call(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run `manage.py` and return its exit code."""
    command = [sys.executable, "manage.py", *(arguments or ["help"])]
    return subprocess.run(command, cwd=REPOSITORY, env=dict(environment), check=False).returncode
