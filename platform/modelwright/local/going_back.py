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
    layout, words = Layout.named_in(arguments)
    routes = layout.gateway / "routes.json"
    gateway = (read_platform(layout) or {}).get("gateway_url") or os.environ.get("MODELWRIGHT_GATEWAY_INTERNAL_URL", "")
    if words and not routes.exists() and "--routes" not in words and not {"-h", "--help"} & set(words):
        print(
            f"Nothing was changed. {layout.data} is no data directory of a gateway: {routes} is missing.\n"
            "Name the directory of the platform with --data-dir or MODELWRIGHT_DATA_DIR.",
            file=sys.stderr,
        )
        return 1
    places = ["--routes", str(routes), "--gateway", str(gateway)]
    return subprocess.run([*COMMAND, *places, *words], cwd=REPOSITORY, check=False).returncode
