"""`./modelwright rollback`: the gateway's own command, told where its table is and where the gateway listens."""

from __future__ import annotations

import os
import subprocess
import sys

from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.state import read_platform

# The data plane stands above this room, so it is run and not imported.
COMMAND = (sys.executable, "-m", "models.gateway.rollback")


def main(arguments: list[str]) -> int:
    """Run it, and return its exit code. What `arguments` say of table and gateway counts."""
    layout = Layout.from_environment()
    gateway = (read_platform(layout) or {}).get("gateway_url") or os.environ.get("MODELWRIGHT_GATEWAY_INTERNAL_URL", "")
    places = ["--routes", str(layout.gateway / "routes.json"), "--gateway", str(gateway)]
    return subprocess.run([*COMMAND, *places, *arguments], cwd=REPOSITORY, check=False).returncode
