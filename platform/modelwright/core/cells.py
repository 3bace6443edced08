"""Values as cells of a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import json
from typing import Any

# A spreadsheet would take a cell that begins with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain(value: Any) -> Any:
    """The value as JSON has it: times in ISO 8601, ids as text."""
    if value is None or isinstance(value, dict | list | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def cell(value: Any) -> str:
    """The text of the cell; what a spreadsheet would take for a formula begins with an apostrophe."""
    text = plain(value)
    if text is None:
        return ""
    if not isinstance(text, str):
        return json.dumps(text, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
