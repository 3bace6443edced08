"""What an audit row says was changed, one line for each key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from modelwright.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Change:
    """One key before and after; both are text, empty for absent."""

    key: str
    before: str
    after: str
    is_changed: bool


def _text(facts: dict[str, Any] | None, key: str) -> str:
    if facts is None or key not in facts:
        return ""
    value = facts[key]
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _facts(value: Any) -> dict[str, Any] | None:
    return value if value is None or isinstance(value, dict) else {"value": value}


def changes(event: AuditEvent) -> list[Change]:
    """The keys of `before` and `after`. A row with only one of them is a creation or removal, and marks nothing."""
    before, after = _facts(event.before), _facts(event.after)
    keys = list(dict.fromkeys([*(before or {}), *(after or {})]))
    both = before is not None and after is not None
    return [
        Change(key, _text(before, key), _text(after, key), both and _text(before, key) != _text(after, key))
        for key in keys
    ]
