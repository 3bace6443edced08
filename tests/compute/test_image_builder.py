"""Who begins to build, where several ask at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.backends.shim import record
from modelwright.compute.images import builder
from modelwright.compute.images.order import BuildPhase, LockOrder


@pytest.mark.parametrize(
    ("left", "phase"),
    [
        ("built.json", BuildPhase.READY),
        ("failed.json", BuildPhase.FAILED),
    ],
)
def test_what_ends_while_somebody_asks_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, phase: BuildPhase
) -> None:
    making = builder.ImageBuilder(tmp_path, instance="tests")
    order = LockOrder("six==1.17.0\n", "requirements.txt", "3.11", attempt="a")
    values: dict[str, Any] = {"attempt": "a", "seconds": 1.0}
    values |= {"lock": "six==1.17.0\n"} if phase is BuildPhase.READY else {"error": "no", "remedy": "none"}
    take = record.take_lock

    def take_late(descriptor: int) -> bool:
        # The one who was at it ends between the look at what there is and the lock.
        record.write_json(str(tmp_path / order.name / left), values)
        return take(descriptor)

    monkeypatch.setattr(record, "take_lock", take_late)
    assert making.resolve(order).phase is phase
    # And whoever asks next finds it, with nobody at work.
    assert making.resolve(order).phase is phase
    assert (tmp_path / order.name / left).exists()
