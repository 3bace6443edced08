"""Names of Celery's queues. No Django, so that the programs that start workers know them too."""

from __future__ import annotations

import hashlib
import re

DEFAULT = "default"


def host_queue(name: str) -> str:
    """The queue that the workers of the host of this name listen to, besides the one of all.

    The same for all who know the host's name, different for different names, and safe on a command line.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"host.{plain}" if plain == name else f"host.{plain}.{hashlib.sha256(name.encode()).hexdigest()[:8]}"
