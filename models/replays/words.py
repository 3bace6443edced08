"""Figures of replays and drills as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from models.replays.models import Replay, ReplayPolicy
from models.replays.policies import thresholds_of

Tile = tuple[str, str, str]


def percent(share: float | None) -> str:
    """A share in percent, to three digits."""
    return "—" if share is None else f"{100 * share:.3g} %"


def between(found: Mapping[str, Any]) -> str:
    """The ends of an interval of a share."""
    return "" if found.get("low") is None else f"{percent(found['low'])} to {percent(found['high'])}"


def milliseconds(value: float | None) -> str:
    """A time, to three digits."""
    return "—" if value is None else f"{value:.3g} ms"


def report_tiles(replay: Replay) -> list[Tile]:
    """The first figures of a report: label, value, and what they rest on."""
    report = replay.report
    flips, errors, truth, factor = report["flips"], report["errors"], report["truth"], report["latency"].get("factor")
    made = [
        ("Answered otherwise", percent(flips["rate"]), f"{flips['rows']:,} records; {between(flips)}"),
        ("Not answered", percent(errors["rate"]), f"{errors['rows']:,} of {report['rows']:,} records"),
    ]
    if truth is not None:
        measure = str(truth["measure"])
        value = _metric(truth, "after"), _metric(truth, "before")
        made.append((measure[0].upper() + measure[1:], value[0], f"was {value[1]}, on {truth['rows']:,} records"))
    made.append(
        (
            "Median request",
            milliseconds((report["latency"]["candidate"] or {}).get("p50")),
            f"{factor:.3g} times as long" if factor else report["latency"].get("note", ""),
        )
    )
    return made


def _metric(truth: Mapping[str, Any], name: str) -> str:
    return percent(truth[name]) if truth["measure"] == "accuracy" else f"{truth[name]:.4g}"


def latency_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Percentile, base, candidate."""
    latency = report.get("latency") or {}
    base, candidate = latency.get("base") or {}, latency.get("candidate") or {}
    return [
        (f"{name[1:]}th percentile" if name != "p50" else "Median", milliseconds(base.get(name)), milliseconds(found))
        for name in ("p50", "p95", "p99")
        if (found := candidate.get(name)) is not None
    ]


def threshold_facts(of: ReplayPolicy | Replay) -> list[tuple[str, str]]:
    """What a replay must come to, or had to."""
    given = of.thresholds if isinstance(of, Replay) else thresholds_of(of)
    factor = given["max_latency_factor"]
    columns = ", ".join(given["segment_columns"]) or "all that lend themselves to it"
    return [
        *([("Requests asked for", f"at least {given['min_requests']:,}")] if "min_requests" in given else []),
        ("Records", f"at least {given['min_rows']:,}"),
        ("Answered otherwise", f"at most {percent(given['max_flip_rate'])}"),
        ("In any segment", _most(given["max_segment_flip_rate"])),
        ("Not answered", f"at most {percent(given['max_error_rate'])}"),
        ("Accuracy lower, or error larger, by", _most(given["max_metric_drop"])),
        ("Median request", "not judged" if factor is None else f"at most {factor:g} times as long"),
        ("Numbers differ by more than", percent(given["numeric_tolerance"])),
        ("Segments of", columns),
    ]


def _most(share: float | None) -> str:
    return "not judged" if share is None else f"at most {percent(share)}"


def segment_rows(report: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """The segments of a report as the page shows them; `query` leads to the records of one."""
    return [
        {
            "column": each["column"],
            "segment": each["segment"],
            "rows": each["rows"],
            "flips": each["flips"],
            "rate": percent(each["rate"]),
            "interval": between(each),
            "rest": percent(each["rest"]),
            "apart": f"{100 * each['difference_low']:+.3g} to {100 * each['difference_high']:+.3g} points",
            "stands_out": each["stands_out"],
            "query": urlencode({"column": each["column"], "segment": each["segment"]}),
        }
        for each in (report.get("segments") or [])[:limit]
    ]


def answer_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Answer, its share before and after, and the interval of the difference."""
    total = report.get("answered") or 1
    return [
        (
            each["answer"],
            percent(each["before"] / total),
            percent(each["after"] / total),
            f"{100 * each['low']:+.3g} to {100 * each['high']:+.3g} points",
        )
        for each in report.get("answers") or []
    ]


def truth_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What truth says, as facts; none where nobody knows it."""
    truth = report.get("truth")
    if not truth:
        return []
    is_share = truth["measure"] == "accuracy"
    ends = (
        f"{100 * truth['low']:+.3g} to {100 * truth['high']:+.3g} points"
        if is_share
        else f"{truth['low']:+.4g} to {truth['high']:+.4g}"
    )
    facts = [
        ("Records with truth", f"{truth['rows']:,}"),
        (str(truth["measure"]).capitalize(), f"{_metric(truth, 'before')} before, {_metric(truth, 'after')} now"),
        ("Difference, 95 % interval", ends),
        ("Now right where it was wrong" if is_share else "Now nearer", f"{truth['better']:,}"),
        ("Now wrong where it was right" if is_share else "Now further away", f"{truth['worse']:,}"),
    ]
    if truth.get("p") is not None:
        facts.append(("Chance of so uneven a split (McNemar, exact)", f"{truth['p']:.3g}"))
    if auc := truth.get("auc"):
        facts.append(
            (f"Area under the curve of {auc['positive']}", f"{auc['before']:.4f} before, {auc['after']:.4f} now")
        )
        facts.append(("Its difference, 95 % interval", f"{auc['low']:+.4f} to {auc['high']:+.4f}"))
    if "rmse_before" in truth:
        facts.append(("Root mean squared error", f"{truth['rmse_before']:.4g} before, {truth['rmse_after']:.4g} now"))
    return facts


def selection_words(replay: Replay) -> list[str]:
    """What was taken of the record and what was left out, in sentences."""
    found = replay.selection
    by = ", ".join(f"{each['requests']:,} by {each['version']}" for each in found["answered_by"])
    said = [f"{found['requests']:,} requests with {found['rows']:,} records, answered before: {by}."]
    if hidden := found["left_out"].get("redacted"):
        columns = ", ".join(found["redacted_columns"])
        said.append(f"{hidden:,} were left out: the values of {columns} are redacted in them.")
    if broken := found["left_out"].get("not whole"):
        said.append(f"{broken:,} were left out: they are not whole on record.")
    if found["refused"]:
        said.append(f"{found['refused']:,} would be refused: they do not fit the candidate's signature.")
    if found["limit"]:
        said.append(f"It ends at {found['limit']}, which is the most that is replayed.")
    elif found["requests"] < found["wanted"]:
        said.append(f"{found['wanted']:,} were wanted; there are no more.")
    return said
