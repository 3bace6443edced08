"""The platform in containers, gone before the next module begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import Compose, missing
from tests.engine import require_engine

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the whole platform."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """The platform after `docker/prepare.sh` and `docker compose up --build --wait`."""
    require_engine()
    if reason := missing():
        pytest.skip(f"NO DOCKER COMPOSE: {reason}")
    made = Compose()
    try:
        made.prepare()
        made.compose("up", "--detach", "--build", "--wait", seconds=900)
        yield made
    finally:
        made.remove()
