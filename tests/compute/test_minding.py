"""When the one who looks after containers takes their engine for gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.docker import minding


class Asking(minding.Minding):
    """Asks an engine that answers or not, by a clock of the test's."""

    def __init__(self, root: Path) -> None:
        super().__init__("asking", root=root, engine="", busy_seconds=0.0)
        self._api = object()
        self.answers = True
        self.absent: list[float] = []

    def look(self) -> bool:
        if not self.answers:
            raise BackendError("nobody answers")
        return True

    def note_absence(self, seconds: float) -> None:
        self.absent.append(seconds)

    def leave(self) -> None:
        """Nothing is left."""


def test_an_engine_is_gone_for_as_long_as_it_was_asked_in_vain_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(minding, "time", SimpleNamespace(monotonic=lambda: now))
    asking = Asking(tmp_path)
    asking._look_safely()
    now += 300  # It was stopped itself, or its machine was; the first question afterwards meets a restart.
    asking.answers = False
    asking._look_safely()
    for _ in range(4):
        now += 1
        asking._look_safely()
    assert asking.absent == [0.0, 1.0, 2.0, 3.0, 4.0]
    now += 300
    asking._look_safely()
    assert asking.absent[5:] == [0.0], "it was stopped again"
    asking.answers = True
    asking._look_safely()
    asking.answers = False
    now += 5
    asking._look_safely()
    assert asking.absent[6:] == [0.0]
