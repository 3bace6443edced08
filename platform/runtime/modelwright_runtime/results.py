"""What a workload leaves in its folder for the platform to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write it as JSON, whole or not at all. Raises `ValueError` for a number that JSON cannot say."""
    write_whole(path, json.dumps(result, allow_nan=False, default=str).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Nobody sees the file before all of it is there."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
