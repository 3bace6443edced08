"""How much of a chunk the platform takes at once. Both sides know it: the process cuts a chunk that is larger."""

from __future__ import annotations

MAX_PART_BYTES = 64 * 1024 * 1024
