"""Which files of a tree the platform can keep: the same rules as it applies to what is pushed."""

from __future__ import annotations

import unicodedata

MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_PATH = 400
MAX_SEGMENT = 120
MAX_DEPTH = 20


def is_fit(path: str) -> bool:
    """Whether a file of a project may have this path."""
    segments = path.split("/")
    return (
        0 < len(path) <= MAX_PATH
        and len(path.encode(errors="surrogatepass")) <= 2 * MAX_PATH
        and len(segments) <= MAX_DEPTH
        and not set("\\:") & set(path)
        and not any(unicodedata.category(character).startswith("C") for character in path)
        and all(_is_fit_segment(segment) for segment in segments)
    )


def _is_fit_segment(segment: str) -> bool:
    folded = unicodedata.normalize("NFKC", segment).casefold()
    return (
        0 < len(segment) <= MAX_SEGMENT
        and segment not in (".", "..")
        and segment == segment.strip()
        and not segment.endswith(".")
        and folded != ".git"
        and not folded.startswith(("git~", ".git~"))
    )
