"""How states and moments look in words: tone and icon of each state, relative times, durations."""

from __future__ import annotations

from datetime import datetime

from django.template.defaultfilters import filesizeformat

_OK = ("ok", "check")
_BUSY = ("busy", "busy")
_WAITING = ("idle", "clock")
_BAD = ("bad", "cross")
_ENDED = ("idle", "stop")
_WARN = ("warn", "warn")

# A badge never speaks by colour alone: each has an icon and its words.
LOOKS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "succeeded",
            "live",
            "healthy",
            "ready",
            "active",
            "online",
            "enabled",
            "sealed",
            "inspected",
            "ok",
            "approved",
            "given",
            "passed",
            "promoted",
            "completed",
            "delivered",
        ),
        _OK,
    ),
    **dict.fromkeys(
        ("running", "starting", "building", "deploying", "preparing", "inspecting", "draining", "asking"), _BUSY
    ),
    **dict.fromkeys(
        ("queued", "placed", "pending", "scheduled", "waiting", "requested", "unsealed", "held", "due"), _WAITING
    ),
    **dict.fromkeys(("failed", "lost", "unhealthy", "refused", "offline", "error", "rejected", "dead"), _BAD),
    **dict.fromkeys(
        ("stopped", "superseded", "archived", "revoked", "expired", "paused", "disabled", "discarded"), _ENDED
    ),
    **dict.fromkeys(("withdrawn", "used"), _ENDED),
    "removed": _ENDED,
    **dict.fromkeys(("degraded", "stale", "stopping", "warning", "broken"), _WARN),
    "cancelled": ("idle", "ban"),
    "timed_out": ("bad", "clock"),
    "out_of_memory": ("bad", "memory"),
    "warm": ("idle", "check"),
}

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def look_of(state: str) -> tuple[str, str]:
    """Return (tone, icon) for a state; an unknown one is plain."""
    return LOOKS.get(state, ("idle", "dot"))


def words(state: str) -> str:
    """Return a state as people read it: `timed_out` is "timed out"."""
    return state.replace("_", " ").replace("-", " ")


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago or ahead `moment` is, in its largest whole unit."""
    seconds = (now - moment).total_seconds()
    amount = abs(seconds)
    if amount < 5:
        return "just now"
    if amount < _MINUTE:
        text = f"{int(amount)} s"
    elif amount < _HOUR:
        text = f"{int(amount // _MINUTE)} min"
    elif amount < _DAY:
        text = f"{int(amount // _HOUR)} h"
    else:
        text = _plural(int(amount // _DAY), "day")
    return f"in {text}" if seconds < 0 else f"{text} ago"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def duration(seconds: float) -> str:
    """Return a length of time in at most two units: `0.4 s`, `12 s`, `3 min 4 s`, `2 h 5 min`, `3 days 1 h`."""
    if seconds < 1:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(f"{whole // _MINUTE} min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _two(f"{whole // _HOUR} h", whole % _HOUR // _MINUTE, "min")
    return _two(_plural(whole // _DAY, "day"), whole % _DAY // _HOUR, "h")


def _two(larger: str, count: int, unit: str) -> str:
    return f"{larger} {count} {unit}" if count else larger


def size(value: float | str) -> str:
    """A number of bytes in words. Django counts 1024 bytes as a KB; everywhere else here that is a KiB."""
    text = str(filesizeformat(value))
    return f"{text[:-1]}iB" if text[-2:] in ("KB", "MB", "GB", "TB", "PB") else text
