"""Finds the program of uv, which is copied into images."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from modelwright.compute.backends.base import BackendError

_PROGRAM = b"\x7fELF"


def find_uv(named: str = "") -> Path:
    """The program itself, where `named` (or `uv` on the path) may be a script that starts it. Raises BackendError."""
    found = named or os.environ.get("MODELWRIGHT_UV") or shutil.which("uv") or ""
    if found and _is_program(found):
        return Path(found)
    if found:
        # uv tells what it starts where it is itself.
        asked = subprocess.run(
            [found, "run", "--no-project", "--no-config", "printenv", "UV"], capture_output=True, text=True, check=False
        )
        if _is_program(asked.stdout.strip()):
            return Path(asked.stdout.strip())
    raise BackendError("The keeper needs the program uv to build images. Install it, or name it with --uv.")


def _is_program(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(_PROGRAM)) == _PROGRAM
    except OSError:
        return False
