"""What a table is gets remembered by its class. scikit-learn asks narwhals of each column that passes a step whether it
is one of narwhals' own, and narwhals looks with `inspect.getattr_static` through all classes that a table or a column
inherits from, each time: a quarter of what a call of a pipeline on pandas takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

# Whose classes are whole once they are imported. Of any other object narwhals' own look decides.
LIBRARIES = frozenset({"narwhals", "numpy", "pandas", "scipy"})
_MODULE, _LOOK = "narwhals._utils", "_hasattr_static"

Look = Callable[[Any, str], bool]


def remember() -> None:
    """Have narwhals remember what it saw, in this process, where it is imported and has that look. Twice is once."""
    module = sys.modules.get(_MODULE)
    look = getattr(module, _LOOK, None)
    if callable(look) and not isinstance(look, Remembered):
        setattr(module, _LOOK, Remembered(look))


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
            if kind.__module__.partition(".")[0] not in LIBRARIES:
                return self._look(thing, name)
            known = self._of_class[kind, name] = any(name in vars(one) for one in kind.__mro__)
        return known or name in _held(thing)


def _held(thing: Any) -> Any:
    try:
        return object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return ()
