"""Which paths a project's files may have."""

from __future__ import annotations

import unicodedata

from modelwright.core.errors import ValidationFailed

MAX_PATH = 400
MAX_SEGMENT = 120
MAX_DEPTH = 20
_REMEDY = "Give a path inside the project, such as `src/train.py`."


def _fault(path: str) -> str | None:
    if not path:
        return "It is empty."
    if len(path) > MAX_PATH or len(path.encode(errors="surrogatepass")) > 2 * MAX_PATH:
        return f"It is longer than {MAX_PATH} characters."
    if path.startswith("/"):
        return "It begins with a slash."
    if "\\" in path or ":" in path:
        return "It holds a backslash or a colon."
    # Control, format, surrogate, private and unassigned characters can make two paths look alike.
    if any(unicodedata.category(character).startswith("C") for character in path):
        return "It holds a character that cannot be seen."
    segments = path.split("/")
    if len(segments) > MAX_DEPTH:
        return f"It is more than {MAX_DEPTH} folders deep."
    return next((fault for segment in segments if (fault := _segment_fault(segment))), None)


def _segment_fault(segment: str) -> str | None:
    if not segment:
        return "It holds an empty part."
    if len(segment) > MAX_SEGMENT:
        return f"A part of it is longer than {MAX_SEGMENT} characters."
    if segment in (".", ".."):
        return "It holds `.` or `..`."
    if segment != segment.strip() or segment.endswith("."):
        return "A part of it begins or ends with a space, or ends with a full stop."
    # Some file systems take these for `.git` as well.
    folded = unicodedata.normalize("NFKC", segment).casefold()
    if folded == ".git" or folded.startswith(("git~", ".git~")):
        return "`.git` belongs to Git."
    return None


def check_path(path: str, *, field: str = "path") -> str:
    """Return `path` if a file of a project may have it. Raises ValidationFailed that names `field`."""
    fault = _fault(path)
    if fault is not None:
        shown = path.encode(errors="backslashreplace").decode()[:80]
        raise ValidationFailed(f"The path {shown!r} is not valid. {fault}", remedy=_REMEDY, field=field)
    return path


def check_folder(path: str, *, field: str = "path") -> str:
    """Return `path` without a final slash if a folder of a project may have it; empty is the root."""
    trimmed = path.removesuffix("/")
    return check_path(trimmed, field=field) if trimmed else ""
