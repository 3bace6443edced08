"""A pytest plugin (`-p tests.order`): files whose tests take long come first.

Two workers take whole files in turn (`--dist loadfile`), so that what a file's tests share is made once. A file of a
few minutes that comes last would leave the other worker without work.

It also says where tests of whole platforms may stand, and spares the garbage collector what is there to stay.
"""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest

from modelwright.local import checks

# Its tests look at one set of answers, which takes minutes to ask for.
LONGEST = "tests/matrix/test_matrix.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by the number of slow tests in a test's file, most first; within a file nothing moves."""
    _refuse_misplaced(config.rootpath, items)
    slow: Counter[Path] = Counter(item.path for item in items if item.get_closest_marker("slow"))
    slow[config.rootpath / LONGEST] = len(items)
    items.sort(key=lambda item: (-slow[item.path], str(item.path)))


def _refuse_misplaced(root: Path, items: list[pytest.Item]) -> None:
    """`./modelwright test` looks for tests of whole platforms in their places only, and would not run any other."""
    for item in items:
        if item.get_closest_marker("e2e"):
            places = checks.E2E_OTHERS
            if item.get_closest_marker("machines"):
                places = checks.E2E_MACHINES
            elif item.get_closest_marker("containers"):
                places = checks.E2E_CONTAINERS
            if not any(root / place in item.path.parents for place in places):
                raise pytest.UsageError(f"{item.nodeid} is not below {' or '.join(places)}, where checks.py looks")


def pytest_collection_finish() -> None:
    """All that was imported and collected stays: looking through it again and again took a twentieth of all time."""
    gc.collect()
    gc.freeze()
