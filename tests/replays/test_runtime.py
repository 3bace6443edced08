"""The program that asks a model: what it writes, whatever the model does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.gateway.environment import RUNTIME, model, python
from tests.gateway.processes import RECORD

COLUMNS = list(RECORD)


def replay(folder: Path, name: str, requests: list[list[Any]], *shapes: list[str]) -> tuple[int, Any]:
    """Run the program on a test model; its exit code and what it left."""
    (folder / "input.json").write_text(json.dumps({"shapes": shapes or [COLUMNS], "requests": requests}))
    done = subprocess.run(
        [python(), "-m", "modelwright_runtime.replaying", "--model", str(model(name)), "--input", "input.json",
         "--out", "result.json"],
        cwd=folder, env={"PYTHONPATH": str(RUNTIME), "PATH": "/usr/bin:/bin"}, capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    result = folder / "result.json"
    return done.returncode, json.loads(result.read_bytes()) if result.exists() else done.stderr.decode()


def test_each_request_is_answered_by_itself_and_timed(tmp_path: Path) -> None:
    row = list(RECORD.values())
    code, result = replay(tmp_path, "moody", [[0, [row, row]], [0, [[-1.0, *row[1:]]]], [0, [[-4.0, *row[1:]]]]])
    assert code == 0, result
    two, raised, left = result["answers"]
    assert (len(two["predictions"]), len(two["probabilities"]), two["ms"] > 0) == (2, 2, True)
    assert raised["error"] == "RuntimeError: alcohol cannot be negative"
    assert left["error"] == "SystemExit: a model that leaves"
    assert result["load_seconds"] > 0
