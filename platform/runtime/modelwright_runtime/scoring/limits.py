"""How much of a chunk the platform takes at once. Both sides know it: the process cuts a chunk that is larger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# The platform parses the header, and in memory it may be twenty times as long as in JSON.
MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_HOLDERS = 1_000_000
MAX_PART_BYTES = 64 * 1024 * 1024
MAX_INPUT_BYTES = 4 * 1024**3
# Of one value.
MAX_DEPTH = 60


def is_heavy(header: bytes) -> bool:
    """Whether the header, in JSON, is too long, or has too many lists and objects. Those within texts count too."""
    return len(header) > MAX_HEADER_BYTES or header.count(b"[") + header.count(b"{") > MAX_HOLDERS


def is_deep(value: Any, most: int = MAX_DEPTH) -> bool:
    """Whether lists and objects are nested deeper than `most` levels."""
    level, depth = [value] if isinstance(value, (list, tuple, dict)) else [], 0
    while level:
        depth += 1
        if depth > most:
            return True
        level = [item for holder in level for item in _items(holder) if isinstance(item, (list, tuple, dict))]
    return False


def _items(holder: Any) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder
