"""A pytest plugin (`-p tests.order`): files whose tests take long come first.

Two workers take whole files in turn (`--dist loadfile`), so that what a file's tests share is made once. A file of a
few minutes that comes last would leave the other worker without work.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

# Its tests look at one set of answers, which takes minutes to ask for.
LONGEST = "tests/matrix/test_matrix.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by the number of slow tests in a test's file, most first; within a file nothing moves."""
    slow: Counter[Path] = Counter(item.path for item in items if item.get_closest_marker("slow"))
    slow[config.rootpath / LONGEST] = len(items)
    items.sort(key=lambda item: (-slow[item.path], str(item.path)))
