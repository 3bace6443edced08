"""Texts that cannot be stored."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def unfit(text: str) -> str:
    """What in the text neither PostgreSQL nor UTF-8 can hold, in words; empty for a text that is fit."""
    if "\0" in text:
        return "a NUL character"
    return "half of a surrogate pair" if _SURROGATE.search(text) else ""
