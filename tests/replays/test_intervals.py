"""Intervals against figures that are printed in the papers, and against what must hold of any interval."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replays.intervals import (
    areas,
    difference,
    exact_mcnemar,
    mean_difference,
    paired_difference,
    wilson,
)

counts = st.integers(min_value=0, max_value=400)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, score method.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_printed(hits: int, total: int, low: float, high: float) -> None:
    found = wilson(hits, total)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 10.
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_difference_as_printed(table: tuple[int, int, int, int], low: float, high: float) -> None:
    found = difference(*table)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(counts, counts, counts, counts)
def test_a_paired_difference_lies_in_its_interval_and_turns_with_its_sides(a: int, b: int, c: int, d: int) -> None:
    if not a + b + c + d:
        return
    found, turned = paired_difference(a, b, c, d), paired_difference(a, c, b, d)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx((b - c) / (a + b + c + d))
    assert [turned.low, turned.high] == pytest.approx([-found.high, -found.low])


def test_a_paired_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    draw = random.Random(7)
    shares, size, repeats = (0.75, 0.08, 0.03, 0.14), 120, 800
    held = 0
    for _ in range(repeats):
        drawn = draw.choices(range(4), shares, k=size)
        found = paired_difference(*(drawn.count(kind) for kind in range(4)))
        held += found.low <= 0.05 <= found.high
    assert 0.93 <= held / repeats <= 0.985


def test_chance_of_an_uneven_split() -> None:
    assert exact_mcnemar(0, 0) == 1.0
    assert exact_mcnemar(5, 5) == 1.0
    assert exact_mcnemar(9, 1) == pytest.approx(22 / 1024)
    assert exact_mcnemar(600, 600) == 1.0
    assert exact_mcnemar(700, 500) < 1e-6


def test_areas_under_the_curve_against_counting_pairs() -> None:
    draw = random.Random(3)
    positive = [(draw.gauss(1, 1), draw.gauss(1.5, 1)) for _ in range(60)]
    negative = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(80)]
    found = areas(positive, negative)
    assert found is not None

    def counted(side: int) -> float:
        pairs = [(p[side], n[side]) for p in positive for n in negative]
        return sum((p > n) + 0.5 * (p == n) for p, n in pairs) / len(pairs)

    assert [found.before, found.after] == pytest.approx([counted(0), counted(1)])
    assert found.difference.low < found.after - found.before < found.difference.high
    same = areas([(1.0, 1.0), (2.0, 2.0)], [(1.0, 1.0), (0.0, 0.0)])
    assert same is not None
    assert (same.before, same.difference) == (0.875, (0.0, 0.0, 0.0))
    assert areas([(1.0, 1.0)], negative) is None


def test_a_mean_of_differences_says_how_sure_it_is() -> None:
    found = mean_difference([1.0, 2.0, 3.0])
    assert [found.value, found.low] == pytest.approx([2.0, 2 - 1.959964 / 3**0.5], abs=1e-5)
    assert mean_difference([4.0]) == (4.0, 4.0, 4.0)
