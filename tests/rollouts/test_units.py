"""Records of one unit are not as many independent ones."""

from __future__ import annotations

import random

import pytest

from models.replays.intervals import difference
from models.rollouts.units import effective


def test_records_without_units_count_as_they_are() -> None:
    assert effective([(1, 1)] * 30 + [(0, 1)] * 70) == pytest.approx((30, 100), rel=0.02)


def test_one_unit_says_as_much_as_one_record() -> None:
    assert effective([(40, 100)]) == (0.4, 1.0)
    assert effective([]) == (0.0, 0.0)


def test_units_that_are_all_right_count_once_each() -> None:
    assert effective([(1000, 1000), (10, 10)]) == (2.0, 2.0)


def test_versions_that_are_alike_are_seldom_told_apart_whatever_their_units_are() -> None:
    """Units differ much, and some ask a hundred times as often; the same units would be answered alike by both."""
    chance, apart, apart_by_records = random.Random(3), 0, 0
    for _ in range(400):
        sides = []
        for _ in range(2):
            units = []
            for _ in range(60):
                records, share = chance.choice((1, 5, 100)), chance.betavariate(2, 2)
                units.append((sum(chance.random() < share for _ in range(records)), records))
            sides.append(units)
        found = difference(*effective(sides[0]), *effective(sides[1]))
        apart += found.low > 0 or found.high < 0
        whole = [(sum(hits for hits, _ in units), sum(records for _, records in units)) for units in sides]
        naive = difference(*whole[0], *whole[1])
        apart_by_records += naive.low > 0 or naive.high < 0
    # 5 % are right at this level. By records alone it is more than half.
    assert apart < 0.11 * 400
    assert apart_by_records > 0.4 * 400
