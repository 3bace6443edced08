"""From answers to a report, and from a report to an outcome. Pure functions, no tables.

A report holds `kind`, `rows`, `answered`, and: `errors` and `flips` (`{"rows", "rate", "low", "high"}`); `answers`, how
often each class was and would be answered; `numbers` of numeric answers; `segments` (see `segments.py`); `truth`, None
where nobody knows it; `latency`, in milliseconds a request. Intervals are of 95 %; their sources stand in
`intervals.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from models.replays.comparing import UNKNOWN, Kind, Row, is_number, score
from models.replays.intervals import (
    Interval,
    areas,
    exact_mcnemar,
    mean_difference,
    paired_difference,
    wilson,
)
from models.replays.segments import changes_by_segment

MOST_ANSWERS = 10
Report = dict[str, Any]


def report_of(rows: Sequence[Row], kind: Kind, latency: Report) -> Report:
    """What the rows come to; they are marked and in their segments. At least one row."""
    answered = [row for row in rows if row.is_answered]
    flips = sum(row.is_flip for row in answered)
    return {
        "kind": kind.value,
        "rows": len(rows),
        "answered": len(answered),
        "errors": _share(len(rows) - len(answered), len(rows)),
        "flips": _share(flips, len(answered)),
        "answers": _answers(answered) if kind is Kind.CLASS else [],
        "numbers": _numbers(answered) if kind is Kind.NUMBER else None,
        "segments": changes_by_segment(answered),
        "truth": _truth(answered, kind),
        "latency": latency,
    }


def _share(hits: int, total: int) -> Report:
    if not total:
        return {"rows": 0, "rate": None, "low": None, "high": None}
    share = wilson(hits, total)
    return {"rows": hits, "rate": share.value, "low": share.low, "high": share.high}


def _answers(rows: Sequence[Row]) -> list[Report]:
    before, after = (Counter(str(getattr(row, name)) for row in rows) for name in ("before", "after"))
    made = []
    for answer, _ in (before + after).most_common(MOST_ANSWERS):
        both = sum(str(row.before) == answer == str(row.after) for row in rows)
        old, new = before[answer], after[answer]
        apart = paired_difference(both, new - both, old - both, len(rows) - old - new + both)
        made.append({"answer": answer[:80], "before": old, "after": new, **_ends(apart)})
    return made


def _numbers(rows: Sequence[Row]) -> Report | None:
    pairs = [(row.before, row.after) for row in rows if is_number(row.before) and is_number(row.after)]
    if not pairs:
        return None
    apart = [after - before for before, after in pairs]
    return {
        "rows": len(pairs),
        "before": sum(before for before, _ in pairs) / len(pairs),
        "after": sum(after for _, after in pairs) / len(pairs),
        "largest": max(map(abs, apart)),
        **_ends(mean_difference(apart)),
    }


def _ends(found: Interval) -> Report:
    return {"difference": found.value, "low": found.low, "high": found.high}


def _truth(rows: Sequence[Row], kind: Kind) -> Report | None:
    known = [row for row in rows if row.truth is not UNKNOWN]
    if not known:
        return None
    if kind is Kind.NUMBER:
        return _errors_of_numbers(known)
    old, new = ([_is_true(getattr(row, name), row.truth) for row in known] for name in ("before", "after"))
    both = sum(a and b for a, b in zip(old, new, strict=True))
    better, worse = sum(new) - both, sum(old) - both
    apart = paired_difference(both, better, worse, len(known) - both - better - worse)
    return {
        "rows": len(known),
        "measure": "accuracy",
        "before": sum(old) / len(known),
        "after": sum(new) / len(known),
        **_ends(apart),
        "better": better,
        "worse": worse,
        "p": exact_mcnemar(better, worse),
        "auc": _auc(known),
    }


def _is_true(answer: Any, truth: Any) -> bool:
    # A class that JSON writes as a number is the same class as a text in a file of truths.
    return bool(answer == truth) or str(answer) == str(truth)


def _errors_of_numbers(known: Sequence[Row]) -> Report | None:
    found = [row for row in known if all(map(is_number, (row.before, row.after, row.truth)))]
    if not found:
        return None
    old, new = ([abs(getattr(row, name) - row.truth) for row in found] for name in ("before", "after"))
    apart = mean_difference([b - a for a, b in zip(old, new, strict=True)])
    return {
        "rows": len(found),
        "measure": "mean absolute error",
        "before": sum(old) / len(old),
        "after": sum(new) / len(new),
        **_ends(apart),
        "better": sum(b < a for a, b in zip(old, new, strict=True)),
        "worse": sum(b > a for a, b in zip(old, new, strict=True)),
        "rmse_before": sqrt(sum(value * value for value in old) / len(old)),
        "rmse_after": sqrt(sum(value * value for value in new) / len(new)),
        "p": None,
        "auc": None,
    }


def _auc(known: Sequence[Row]) -> Report | None:
    """Of two classes, for the one whose name is last; None of more classes or without probabilities."""
    with_scores = [row for row in known if row.scores_before and row.scores_after]
    names = sorted({name for row in with_scores for name in [*(row.scores_before or ()), *(row.scores_after or ())]})
    if len(names) != 2:
        return None
    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for row in with_scores:
        old, new = score(row.scores_before, names[1]), score(row.scores_after, names[1])
        if old is not None and new is not None and str(row.truth) in names:
            sides[str(row.truth) == names[1]].append((old, new))
    found = areas(sides[True], sides[False])
    if found is None:
        return None
    return {
        "positive": names[1],
        "rows": len(sides[True]) + len(sides[False]),
        "before": found.before,
        "after": found.after,
        **_ends(found.difference),
    }


def latency_of(milliseconds: Sequence[float]) -> Report | None:
    """Percentiles of the requests' times, None of none."""
    if not milliseconds:
        return None
    ordered = sorted(milliseconds)
    return {
        f"p{percent}": ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 95, 99)
    } | {"requests": len(ordered)}


def reasons_to_fail(report: Report, thresholds: Mapping[str, Any]) -> list[str]:
    """Why the replay does not pass, in words; empty where it does."""
    found = [
        _too_few(report, thresholds),
        _above("cannot be answered by the candidate", report["errors"], thresholds["max_error_rate"]),
        _above("are answered otherwise", report["flips"], thresholds["max_flip_rate"]),
        *_segments(report, thresholds.get("max_segment_flip_rate")),
        _worse(report["truth"], thresholds.get("max_metric_drop")),
        _slower(report["latency"], thresholds.get("max_latency_factor")),
    ]
    return [reason for reason in found if reason]


def _too_few(report: Report, thresholds: Mapping[str, Any]) -> str:
    wanted = thresholds["min_rows"]
    if report["rows"] >= wanted:
        return ""
    return f"Only {report['rows']} records could be replayed, and {wanted} are wanted."


def _above(what: str, share: Report, most: float) -> str:
    if share["rate"] is None or share["rate"] <= most:
        return ""
    return (
        f"{_percent(share['rate'])} of the records ({share['rows']}) {what}, and at most {_percent(most)} may. "
        f"(95 % interval: {_percent(share['low'])} to {_percent(share['high'])}.)"
    )


def _segments(report: Report, most: float | None) -> list[str]:
    if most is None:
        return []
    over = [each for each in report["segments"] if each["surely"] > most]
    said = [
        f"Of the records with {each['column'] or 'the input'} = {each['segment']}, {_percent(each['rate'])} are "
        f"answered otherwise, surely more than {_percent(most)}."
        for each in over[:5]
    ]
    return [*said, f"And {len(over) - 5} more segments."] if len(over) > 5 else said


def _worse(truth: Report | None, most: float | None) -> str:
    if truth is None or most is None:
        return ""
    before, after = truth["before"], truth["after"]
    if truth["measure"] == "accuracy":
        if before - after <= most:
            return ""
        return (
            f"Accuracy is {_percent(after)} instead of {_percent(before)} on the {truth['rows']} records whose truth "
            f"is known, and may be at most {100 * most:.3g} points lower."
        )
    if after <= before * (1 + most):
        return ""
    return (
        f"The mean absolute error is {after:.4g} instead of {before:.4g} on the {truth['rows']} records whose truth is "
        f"known, and may be at most {_percent(most)} larger."
    )


def _slower(latency: Report, most: float | None) -> str:
    factor = latency.get("factor")
    if most is None or (factor is not None and factor <= most):
        return ""
    if factor is None:
        return f"How long a request takes could not be judged. {latency.get('note') or ''}".strip()
    return f"The median request takes {factor:.3g} times as long as before, and at most {most:g} times is allowed."


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
