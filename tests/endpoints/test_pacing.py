"""The reconciler looks often while there is something to do, and else seldom."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from models.endpoints import pacing
from models.endpoints.pacing import QUICK_FOR_SECONDS, QUICK_SECONDS, Paced
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record

pytestmark = pytest.mark.django_db


class Rounds:
    """Counts rounds on a clock that moves with the ticks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.done, self.leaves, self.error = 1000.0, 0, False, False
        monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: self.now))
        self._paced = Paced(self._work)

    def _work(self) -> bool:
        self.done += 1
        if self.error:
            raise RuntimeError("no good")
        return self.leaves

    def within(self, seconds: float) -> int:
        """How many rounds there are in that time."""
        before = self.done
        for _ in range(round(seconds / QUICK_SECONDS)):
            self.now += QUICK_SECONDS
            self._paced.tick()
        return self.done - before


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    made = Rounds(monkeypatch)
    made.within(60)
    return made


def test_one_a_second_where_all_stands_as_it_was(rounds: Rounds) -> None:
    assert rounds.within(20) == 20


def test_four_a_second_while_something_is_under_way(rounds: Rounds) -> None:
    rounds.leaves = True
    rounds.within(1)
    assert rounds.within(20) == 80


def test_the_next_one_is_at_once_after_anything_that_is_on_record(rounds: Rounds) -> None:
    record(
        acting_user=Actor.system("test"), action=AuditAction.DEPLOYMENT_LIVE, target=Target("deployment", "1", "one")
    )
    assert rounds.within(QUICK_FOR_SECONDS) == QUICK_FOR_SECONDS / QUICK_SECONDS
    assert rounds.within(20) <= 21


def test_one_that_failed_is_tried_again_at_once(rounds: Rounds) -> None:
    rounds.within(1)
    rounds.error = True
    with pytest.raises(RuntimeError):
        rounds.within(1)
    rounds.error = False
    assert rounds.within(QUICK_SECONDS) == 1
