"""What answers when the model does not: a rule, or another version."""

from __future__ import annotations

from typing import Any, NamedTuple

from models.gateway.rules import Rule, RuleError, compile_rule

RULE, VERSION = "rule", "version"
HEADER = b"X-Modelwright-Fallback"


class Fallback(NamedTuple):
    """`rule` is None where a version answers: the target with the role `fallback`."""

    kind: str
    rule: Rule | None = None


def parse_fallback(data: Any) -> Fallback | None:
    """What a deployment's fallback says, None where it has none. Raises `RuleError`."""
    if data is None:
        return None
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == VERSION and data.keys() == {"kind"}:
        return Fallback(VERSION)
    if kind == RULE and data.keys() == {"kind", "rule"}:
        return Fallback(RULE, compile_rule(data["rule"]))
    raise RuleError('a fallback is {"kind": "rule", "rule": …} or {"kind": "version"}')
