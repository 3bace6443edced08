"""Whether an answer came again: compares two answers value by value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

# Another batch size or another order of summing changes the last digits of a double, and no more.
TOLERANCE = 1e-9
MAX_EXAMPLES = 20


class Answer(NamedTuple):
    """An output for each record and, of classifiers, `{class: probability}` for each."""

    outputs: Sequence[Any]
    probabilities: Sequence[Any] | None


class Verdict(NamedTuple):
    """`detail` says it in words; `difference` is None where the answers are the same."""

    is_same: bool
    detail: str
    difference: dict[str, Any] | None


class Difference(NamedTuple):
    """One value that is not identical; `relative` and `absolute` are None where the two are no finite doubles."""

    record: int
    where: str
    recorded: Any
    now: Any
    relative: float | None
    absolute: float | None

    def is_slight(self, tolerance: float) -> bool:
        """Whether it is only in the last digits."""
        return self.relative is not None and self.relative <= tolerance


def compare(recorded: Answer, now: Answer, *, tolerance: float = TOLERANCE) -> Verdict:
    """The verdict over an answer on record and the one that came now. Probabilities count where there are some.

    Numbers that differ by up to `tolerance` of their size are the same.
    """
    records = len(recorded.outputs)
    if len(now.outputs) != records:
        said = f"There are {len(now.outputs)} outputs now, and {records} on record."
        return Verdict(False, said, {"records": abs(len(now.outputs) - records), "of": records, "examples": []})
    found = list(_all(recorded, now))
    what = "The record" if records == 1 else f"All {records} records"
    if not found:
        return Verdict(True, f"{what} gave the same answer again, digit for digit.", None)
    largest = max((each.relative for each in found if each.relative is not None), default=None)
    if all(each.is_slight(tolerance) for each in found):
        said = f"{what} gave the same answer again; numbers differ by at most {largest:.1e} of their size."
        return Verdict(True, f"{said} Up to {tolerance:.0e} is rounding.", None)
    return _different(records, [each for each in found if not each.is_slight(tolerance)], largest)


def _different(records: int, found: list[Difference], largest: float | None) -> Verdict:
    differing = {each.record for each in found}
    first = found[0]
    numbers = f" Numbers differ by up to {largest:.3g} of their size." if largest is not None else ""
    said = (
        f"{len(differing)} of {records} records gave another answer.{numbers} "
        f"Record {first.record}: {first.where} was {first.recorded!r:.80} and is {first.now!r:.80}."
    )
    difference = {
        "records": len(differing),
        "of": records,
        "largest_relative": largest,
        "largest_absolute": max((e.absolute for e in found if e.absolute is not None), default=None),
        "examples": [_example(each) for each in found[:MAX_EXAMPLES]],
    }
    return Verdict(False, said, difference)


def _all(recorded: Answer, now: Answer) -> Iterator[Difference]:
    for index, (before, after) in enumerate(zip(recorded.outputs, now.outputs, strict=True)):
        yield from _values(index, "the output", before, after)
    if recorded.probabilities is None:
        return
    others = now.probabilities or []
    for index, before in enumerate(recorded.probabilities):
        yield from _values(index, "the probability", before, others[index] if index < len(others) else None)


def _values(record: int, where: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _values(record, f"{where} of {name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from _values(record, f"{where} at {place}", *pair)
    elif _is_number(before) and _is_number(after):
        if before != after:
            yield Difference(record, where, before, after, *_apart(before, after))
    elif type(before) is not type(after) or before != after:
        yield Difference(record, where, before, after, None, None)


def _apart(before: float, after: float) -> tuple[float | None, float | None]:
    """How far two numbers are apart, of their size and as such; None for what no double holds."""
    try:
        absolute, size = float(abs(before - after)), float(max(abs(before), abs(after)))
    except OverflowError:
        return None, None
    return (absolute / size, absolute) if math.isfinite(absolute) and math.isfinite(size) else (None, None)


def _example(found: Difference) -> dict[str, Any]:
    return {name: value for name, value in found._asdict().items() if name != "absolute"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
