"""What a table is gets remembered by its class. scikit-learn asks narwhals of each column that passes a step whether it
is a table or a column that narwhals knows, and narwhals asks every library and plugin again, and looks with
`inspect.getattr_static` through all classes that a table or a column inherits from, each time: a third of what a call
of a pipeline on pandas takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

# Whose classes are whole once they are imported. Of any other object narwhals' own look decides.
LIBRARIES = frozenset({"builtins", "narwhals", "numpy", "pandas", "scipy"})
_LOOKS = ("narwhals._utils", "_hasattr_static")
_KINDS = ("narwhals.stable.v2.dependencies", "is_into_dataframe", "is_into_series")
# By these an object says of itself that it can be asked like one of narwhals' own.
_MARKS = frozenset({"__narwhals_dataframe__", "__narwhals_lazyframe__", "__narwhals_series__"})

Look = Callable[[Any, str], bool]
Kind = Callable[[Any], bool]


def remember() -> None:
    """Have narwhals remember what it saw, in this process, where it is imported and has those looks. Twice is once."""
    for made, (name, *looks) in ((Remembered, _LOOKS), (RememberedKind, _KINDS)):
        module = sys.modules.get(name)
        for look_name in looks:
            look = getattr(module, look_name, None)
            if callable(look) and not isinstance(look, made):
                setattr(module, look_name, made(look))


class Remembered:
    """Answers as `look(object, name)` does: whether the object or its class has the attribute, without running code of
    either."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._of_class: dict[tuple[type, str], bool] = {}

    def __call__(self, thing: Any, name: str) -> bool:
        kind = type(thing)
        known = self._of_class.get((kind, name))
        if known is None:
            if not _is_whole(kind):
                return self._look(thing, name)
            known = self._of_class[kind, name] = any(name in vars(one) for one in kind.__mro__)
        return known or name in _held(thing)


class RememberedKind:
    """Answers as `look(object)` does: whether it is a table, or a column, that narwhals can read. That is a matter of
    its class, unless the object itself says so."""

    def __init__(self, look: Kind) -> None:
        self._look = look
        self._of_class: dict[type, bool] = {}

    def __call__(self, thing: Any) -> bool:
        if not _MARKS.isdisjoint(_held(thing)):
            return self._look(thing)
        kind = type(thing)
        known = self._of_class.get(kind)
        if known is None:
            known = self._look(thing)
            if _is_whole(kind):
                self._of_class[kind] = known
        return known


def _is_whole(kind: type) -> bool:
    # What a class has it may have from the classes above it.
    return kind is not type and kind.__module__.partition(".")[0] in LIBRARIES


def _held(thing: Any) -> Any:
    try:
        return object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return ()
