from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.compute.backends.base import Phase
from modelwright.compute.backends.process import ProcessBackend


@pytest.fixture(params=["process-cgroups", "process-watched"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProcessBackend]:
    """Each kind of backend in turn; what a failed test leaves running is stopped."""
    made = ProcessBackend(tmp_path / "workloads", use_cgroups=request.param == "process-cgroups")
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key)
