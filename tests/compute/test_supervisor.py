"""The supervisor of one host process, in the moments in which others meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from modelwright.compute.backends.base import Limits
from modelwright.compute.backends.shim import record

# Whoever reads the supervisor's id from its first record may signal it before it does anything else.
SIGNALLED_AT_ONCE = """
import json, os, signal, sys
from modelwright.compute.backends.shim import main, record

write = record.write_json

def written(path, value):
    write(path, value)
    if value["phase"] == "starting":
        os.kill(value["shim_pid"], signal.SIGTERM)

record.write_json = written
main.become_subreaper()
main.Supervisor(sys.argv[1], json.loads(sys.argv[2])).run()
"""


def test_a_stop_that_comes_with_the_first_record_is_on_record(tmp_path: Path) -> None:
    order = {
        "name": "stopped-at-once",
        "command": [sys.executable, "-c", "import time; time.sleep(60)"],
        "environment": {},
        "directory": str(tmp_path),
        "limits": asdict(Limits()),
        "use_cgroups": False,
    }
    record.write_json_once(str(tmp_path / record.STOP), {"cause": "cancelled", "message": "Not wanted any more."})

    done = subprocess.run([sys.executable, "-c", SIGNALLED_AT_ONCE, str(tmp_path), json.dumps(order)], timeout=120)

    assert done.returncode == 0
    ended = record.read_json(str(tmp_path / record.STATUS))
    assert ended is not None
    assert (ended["phase"], ended["cause"], ended["message"]) == ("ended", "cancelled", "Not wanted any more.")
