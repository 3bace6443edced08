"""The form of a description."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

MAX_TEXT = 120
MAX_CHILDREN = 60

Node = dict[str, Any]


class Described(NamedTuple):
    """The algorithm in a few words, and the tree that a page shows."""

    summary: str
    algorithm: Node


def node(
    name: str,
    kind: str,
    params: dict[str, Any] | None = None,
    *,
    members: int | None = None,
    children: Iterable[tuple[str, Node]] = (),
) -> Node:
    """One thing and what is inside it, as (role, thing); texts are cut and only plain parameters are kept."""
    kept = {str(key)[:MAX_TEXT]: _plain(value) for key, value in (params or {}).items() if is_plain(value)}
    pairs = list(children)
    made: Node = {
        "name": name[:MAX_TEXT],
        "class": kind[:MAX_TEXT],
        "params": kept,
        "members": members,
        "children": [{"role": role[:MAX_TEXT], **child} for role, child in pairs[:MAX_CHILDREN]],
    }
    if len(pairs) > MAX_CHILDREN:
        made["cut"] = True
    return made


def class_of(thing: Any) -> str:
    """The full name of a thing's class."""
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"


def tally(names: Iterable[str], limit: int = 4) -> str:
    """The most frequent names, e.g. `Conv ×4, Gemm ×2, Relu and 3 more`."""
    counted = Counter(names).most_common()
    told = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counted[:limit])
    return told + (f" and {len(counted) - limit} more" if len(counted) > limit else "")


def is_plain(value: Any) -> bool:
    """Whether a page can show it as it is: a text, a finite number, a truth value, None, or a few of these."""
    if isinstance(value, (list, tuple)):
        return len(value) <= 10 and all(is_plain(item) for item in value)
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return value is None or isinstance(value, (str, int, bool))


def _plain(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value
