"""The logins that may go on using what they entered. Written whole by the watcher, read by the proxy. No Django.

A login is named by a digest that tells nothing of the cookie of the platform.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import orjson

from modelwright.core.whole_file import hold
from sessions.table import FOLDER

NAME = "logins.json"
# A pass is believed without its login in the file until the watcher has looked once since the pass was given: on a busy
# machine that takes seconds. Where nobody looks any more, it is believed for so long.
GRACE_SECONDS = 60.0


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


def write(path: Path, logins: Iterable[str], *, asked: float | None = None) -> bool:
    """Make the file hold exactly these, at once; False where it does already. Raises OSError.

    `asked` is the time at which the question for them began, now where nobody says: the file's own time afterwards.
    """
    is_new = hold(path, orjson.dumps({"logins": sorted(logins)}))
    at = time.time() if asked is None else asked
    os.utime(path, (at, at))
    return is_new
