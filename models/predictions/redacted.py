"""Which recorded values are no values: what the gateway put in their place before they were on record."""

from __future__ import annotations

from typing import Any

KEY = "redacted"


def is_redacted(value: Any) -> bool:
    """Whether it is `{"redacted": "<keyed digest>"}`."""
    return isinstance(value, dict) and value.keys() == {KEY} and isinstance(value[KEY], str)


def redacted_columns(inputs: Any) -> list[str]:
    """The columns of recorded inputs that hold such a value, in order of their names."""
    records = inputs if isinstance(inputs, list) else []
    return sorted(
        {
            str(name)
            for record in records
            if isinstance(record, dict)
            for name, value in record.items()
            if is_redacted(value)
        }
    )


def holds_redacted(inputs: Any) -> bool:
    """Whether some of the input never was on record."""
    return bool(redacted_columns(inputs))
