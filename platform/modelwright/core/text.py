"""Texts that cannot be stored or shown as they are, and what is left of them that can."""

from __future__ import annotations

import math
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
# What colours a terminal, and moves about in it (CSI sequences of ECMA-48).
_FOR_TERMINALS = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")


def unfit(text: str) -> str:
    """What in the text neither PostgreSQL nor UTF-8 can hold, in words; empty for a text that is fit."""
    if "\0" in text:
        return "a NUL character"
    return "half of a surrogate pair" if _SURROGATE.search(text) else ""


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses: NUL and halves of surrogate pairs."""
    return text if text.isascii() and "\0" not in text else text.encode(errors="replace").decode().replace("\0", "")


def storable_json(value: Any) -> Any:
    """The JSON value without what `jsonb` refuses: NUL becomes U+FFFD, half of a surrogate pair `?`, NaN null."""
    if isinstance(value, str):
        return value if value.isalnum() else value.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    return value


def plain(text: str) -> str:
    """The text without what it tells a terminal: colours and movements of the cursor."""
    return _FOR_TERMINALS.sub("", text) if "\x1b" in text else text
