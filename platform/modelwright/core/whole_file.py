"""A file that one process writes and another reads: it is always whole. No Django."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def hold(path: Path, content: bytes) -> bool:
    """Make the file hold exactly this, at once; False where it does already. Raises OSError."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(path, content)
    return True


def replace(path: Path, content: bytes) -> None:
    """Make the file hold exactly this, at once. Raises OSError, and then it holds what it held."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
