"""Segments: values of a column, or quarters of its numbers, and how much more is answered otherwise in each."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import quantiles
from typing import Any

from models.replays.comparing import Row, is_number
from models.replays.intervals import LEVEL, difference, wilson

MOST_COLUMNS, MOST_VALUES, MOST_TEXT = 60, 12, 60
MOST_SEGMENTS = 200
# Smaller ones say nothing and would only fill the page.
FEWEST_ROWS = 5
OTHER, MISSING = "others", "missing"

Label = Callable[[Any], str]


def put_into_segments(rows: Sequence[Row], columns: Sequence[str] = ()) -> None:
    """Name the segment of each row in each column that lends itself to it, or in `columns`."""
    names = columns or list(dict.fromkeys(name for row in rows for name in row.values))
    for name in names[:MOST_COLUMNS]:
        label = _label_of([row.values.get(name) for row in rows])
        if label is None:
            continue
        for row in rows:
            row.segments[name] = label(row.values.get(name))


def _label_of(values: Sequence[Any]) -> Label | None:
    """How the values of a column are told apart, None where they are all the same or hold lists and objects."""
    there = [value for value in values if value is not None]
    if any(isinstance(value, list | dict) for value in there):
        return None
    distinct = Counter(map(_text, there))
    if len(distinct) + (len(there) < len(values)) < 2:
        return None
    if len(distinct) > MOST_VALUES and all(is_number(value) for value in there):
        return _quarters(there)
    if len(distinct) > len(there) / 2 and len(distinct) > MOST_VALUES:
        return None  # A name or an identifier: nearly every record is a segment of its own.
    kept = {text for text, _ in distinct.most_common(MOST_VALUES)}

    def label(value: Any) -> str:
        text = MISSING if value is None else _text(value)
        return text if value is None or text in kept else OTHER

    return label


def _quarters(numbers: Sequence[float]) -> Label:
    cuts = sorted(set(quantiles(numbers, n=4, method="inclusive")))
    low, high = min(numbers), max(numbers)
    ends = [low, *cuts, high]
    names = [f"{ends[i]:.6g} to {ends[i + 1]:.6g}" for i in range(len(ends) - 1)]

    def label(value: Any) -> str:
        return MISSING if value is None else names[bisect_right(cuts, value)]

    return label


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)[:MOST_TEXT]


def changes_by_segment(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each segment with enough answered rows, those first whose difference to the rest is surest.

    `rate`, `low`, `high` are the share that is answered otherwise, `difference` with its ends is against all other rows
    of the column. `stands_out` where that interval, widened for the number of segments (Bonferroni), leaves zero out;
    `surely` is the lower end of the share's own interval, widened in the same way.
    """
    found = list(_counted([row for row in rows if row.is_answered]))
    level = 1 - (1 - LEVEL) / max(1, len(found))
    made = [_entry(*each, level) for each in found]
    made.sort(key=lambda entry: (not entry["stands_out"], -entry["difference_low"], entry["column"], entry["segment"]))
    return made[:MOST_SEGMENTS]


def _counted(rows: Sequence[Row]) -> Iterator[tuple[str, str, int, int, int, int]]:
    total, flips = len(rows), sum(row.is_flip for row in rows)
    for column in dict.fromkeys(name for row in rows for name in row.segments):
        members: Counter[str] = Counter(row.segments[column] for row in rows)
        hits: Counter[str] = Counter(row.segments[column] for row in rows if row.is_flip)
        for segment, count in members.items():
            if FEWEST_ROWS <= count < total:
                yield column, segment, hits[segment], count, flips - hits[segment], total - count


def _entry(column: str, segment: str, hits: int, count: int, rest: int, others: int, level: float) -> dict[str, Any]:
    share = wilson(hits, count)
    apart = difference(hits, count, rest, others)
    wide = difference(hits, count, rest, others, level=level)
    return {
        "column": column,
        "segment": segment,
        "rows": count,
        "flips": hits,
        "rate": share.value,
        "low": share.low,
        "high": share.high,
        "surely": wilson(hits, count, level=level).low,
        "rest": rest / others,
        "difference": apart.value,
        "difference_low": apart.low,
        "difference_high": apart.high,
        "stands_out": wide.low > 0 or wide.high < 0,
    }
