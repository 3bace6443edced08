"""The logins that may go on using what they entered. Written whole by the watcher, read by the proxy. No Django.

A login is named by a digest that tells nothing of the cookie of the platform.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson

from modelwright.core.whole_file import hold
from sessions.table import FOLDER

NAME = "logins.json"
# A pass is believed for so long without its login in the file: the watcher may not have seen it yet.
GRACE_SECONDS = 3.0


class LoginsError(ValueError):
    """The file holds no logins; it says why."""


def logins_path(data_dir: Path) -> Path:
    """Where the file lies below the data directory."""
    return data_dir / FOLDER / NAME


def read(path: Path) -> frozenset[str]:
    """The digests. Raises OSError where the file is missing, LoginsError where it holds something else."""
    try:
        return frozenset(map(str, orjson.loads(path.read_bytes())["logins"]))
    except (ValueError, KeyError, TypeError) as error:
        raise LoginsError(f"{path} holds no logins: {error}") from error


def write(path: Path, logins: Iterable[str]) -> bool:
    """Make the file hold exactly these, at once; False where it does already. Raises OSError."""
    return hold(path, orjson.dumps({"logins": sorted(logins)}))
