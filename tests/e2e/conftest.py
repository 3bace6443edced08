"""One platform for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Rest, Stack, person_token

HERE = Path(__file__).parent
KEEP = "MODELWRIGHT_E2E_KEEP"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the platform."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The platform after the demo. The data directory's path stays short: Unix sockets allow 107 characters.

    MODELWRIGHT_E2E_KEEP names a folder whose platform is used if it runs and is left running: for writing tests.
    """
    kept = os.environ.get(KEEP)
    # Not below pytest's own folder: another pytest that starts meanwhile closes that to everyone but root.
    folder = Path(kept).absolute() if kept else Path(tempfile.mkdtemp(prefix="mwe-", dir="/tmp"))
    running = Stack(folder, "demo", MODELWRIGHT_GATEWAY_PROCESSES="2")
    try:
        running.wait_for_demo()
        yield running
    finally:
        if not kept:
            running.stop()
            if not request.session.testsfailed:  # else its logs are wanted
                shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def rest(stack: Stack) -> Rest:
    """The REST API as the administrator."""
    return Rest(stack.web_url, person_token(stack))
