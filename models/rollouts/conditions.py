"""When a rollout stops by itself: conditions over what was counted of candidate and base. No database, no clock.

Each is a test that a few requests cannot decide. What is counted is looked at again and again, so a look's chance of
being wrong is what is left of the whole divided by looks * (looks + 1), which adds up to the whole over any number of
looks (`alpha_at`), and is shared by the conditions that are tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from models.predictions import histogram
from models.replays.intervals import difference
from models.rollouts.chances import at_least, at_least_as_many
from modelwright.core.errors import ValidationFailed

# Of p99: so many requests may be slower than it.
TAIL = 0.01
# Latencies that differ by less are no reason to stop whatever their ratio is.
LEAST_MS = 10.0
# After very many looks a level would round to 1.
SUREST = 1.0 - 1e-12
# An answer with more different values is no class.
MOST_ANSWERS = 20


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold; None where it is not watched. Shares are from 0 to 1. See docs/rollouts.md."""

    min_requests: int = 20
    confidence: float = 0.99
    max_error_rate: float | None = 0.05
    no_more_errors_than_base: bool = True
    max_p99_ratio: float | None = 2.0
    max_answer_shift: float | None = None
    max_fallback_rate: float | None = 0.05
    max_replica_deaths: int | None = 1

    def as_json(self) -> dict[str, Any]:
        """As they are stored and shown."""
        return asdict(self)

    @property
    def tested(self) -> int:
        """How many of them are tests."""
        watched = (self.max_error_rate, self.max_p99_ratio, self.max_answer_shift, self.max_fallback_rate)
        return max(1, sum(each is not None for each in watched) + self.no_more_errors_than_base)

    def alpha_at(self, look: int) -> float:
        """The chance of being wrong that one condition has at the look of this number, from 1 on."""
        return (1.0 - self.confidence) / (look * (look + 1)) / self.tested


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "min_requests": (1, 1_000_000),
    "confidence": (0.5, 0.999999),
    "max_error_rate": (0.0, 1.0),
    "max_p99_ratio": (1.0, 1000.0),
    "max_answer_shift": (0.0, 1.0),
    "max_fallback_rate": (0.0, 1.0),
    "max_replica_deaths": (0, 1000),
}
_WHOLE = ("min_requests", "max_replica_deaths")
_ALWAYS = ("min_requests", "confidence", "no_more_errors_than_base")


def conditions_of(given: Mapping[str, Any] | None) -> Conditions:
    """The conditions as they were given, the usual ones for what was not. Raises ValidationFailed, naming the field."""
    given = given or {}
    if unknown := sorted(given.keys() - {each.name for each in fields(Conditions)}):
        raise ValidationFailed(
            f"There is no condition {', '.join(unknown)}.",
            remedy=f"Give some of {', '.join(each.name for each in fields(Conditions))}.",
            field="conditions",
        )
    return Conditions(**{name: _checked(name, value) for name, value in given.items()})


def _checked(name: str, value: Any) -> Any:
    if name == "no_more_errors_than_base":
        if not isinstance(value, bool):
            raise _wrong(name, value, "Give true or false.")
        return value
    if value is None and name not in _ALWAYS:
        return None
    low, high = _BOUNDS[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (name in _WHOLE and value != int(value)):
        kind = "a whole number" if name in _WHOLE else "a number"
        also = "" if name in _ALWAYS else ", or null so that it is not watched"
        raise _wrong(name, value, f"Give {kind} from {low:g} to {high:g}{also}.")
    return int(value) if name in _WHOLE else float(value)


def _wrong(name: str, value: Any, remedy: str) -> ValidationFailed:
    return ValidationFailed(f"{name} is {str(value)[:40]!r}.", remedy=remedy, field="conditions")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted of a version. `latency` counts by `histogram.BOUNDS_MS` what was answered; `answers` counts
    records by answer, empty where answers are no classes; `deaths` are replicas that ended by themselves."""

    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    latency: tuple[int, ...] = field(default_factory=lambda: tuple(histogram.empty()))
    answers: Mapping[str, int] = field(default_factory=dict)
    deaths: int = 0

    @property
    def answered(self) -> int:
        """Requests whose latency is known."""
        return sum(self.latency)

    def p99_ms(self) -> float | None:
        """In ms, None of nothing."""
        return histogram.percentile(self.latency, 1 - TAIL)

    def slower_than(self, limit_ms: float) -> int:
        """Requests that surely took longer."""
        return sum(
            count for number, count in enumerate(self.latency) if number and histogram.BOUNDS_MS[number - 1] >= limit_ms
        )

    def as_json(self) -> dict[str, Any]:
        """What evidence keeps of it."""
        p50, p99 = histogram.percentiles(self.latency, (0.5, 1 - TAIL))
        counts = {"requests": self.requests, "errors": self.errors, "fallbacks": self.fallbacks}
        return {**counts, "p50_ms": p50, "p99_ms": p99, "answers": dict(self.answers), "deaths": self.deaths}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one condition says: `holds`, `broken`, or `waits` for more requests; `words` are for people."""

    condition: str
    outcome: str
    words: str

    def as_json(self) -> dict[str, str]:
        """As evidence keeps it."""
        return asdict(self)


def judge(conditions: Conditions, candidate: Figures, base: Figures, *, look: int) -> list[Finding]:
    """What every watched condition says at the look of this number, from 1 on."""
    alpha = conditions.alpha_at(look)
    enough = candidate.requests >= conditions.min_requests
    found = []
    if conditions.max_replica_deaths is not None:
        found.append(_deaths(candidate.deaths, conditions.max_replica_deaths))
    if conditions.max_error_rate is not None:
        found.append(_rate("max_error_rate", "failed", candidate.errors, candidate, conditions.max_error_rate, alpha))
    if conditions.max_fallback_rate is not None:
        limit = conditions.max_fallback_rate
        found.append(_rate("max_fallback_rate", "went to the fallback", candidate.fallbacks, candidate, limit, alpha))
    # Against the base, which needs requests as well.
    base_enough = base.requests >= conditions.min_requests
    if conditions.no_more_errors_than_base:
        found.append(_against(candidate, base, alpha))
    if conditions.max_p99_ratio is not None:
        found.append(_p99(candidate, base, conditions.max_p99_ratio, alpha))
    if conditions.max_answer_shift is not None:
        found.append(_answers(candidate, base, conditions.max_answer_shift, alpha))
    return [_waiting(each, conditions, enough=enough, base_enough=base_enough) for each in found]


_AGAINST_BASE = ("no_more_errors_than_base", "max_p99_ratio", "max_answer_shift")


def _waiting(finding: Finding, conditions: Conditions, *, enough: bool, base_enough: bool) -> Finding:
    """The finding, or that it is too early for one."""
    if finding.condition == "max_replica_deaths" or (
        enough and (base_enough or finding.condition not in _AGAINST_BASE)
    ):
        return finding
    who = "the version that serves" if enough else "the new version"
    return Finding(finding.condition, "waits", f"Waits until {who} got {conditions.min_requests} requests.")


def _deaths(deaths: int, limit: int) -> Finding:
    words = f"{deaths} replica{'' if deaths == 1 else 's'} of the new version ended by themselves; {limit} may."
    return Finding("max_replica_deaths", "broken" if deaths > limit else "holds", words)


def _rate(condition: str, what: str, hits: int, candidate: Figures, limit: float, alpha: float) -> Finding:
    chance = at_least(hits, candidate.requests, limit)
    words = f"{hits} of {candidate.requests} requests {what} ({_percent(hits, candidate.requests)}); {limit:.1%} may."
    return Finding(condition, "broken" if chance < alpha else "holds", words)


def _against(candidate: Figures, base: Figures, alpha: float) -> Finding:
    """What the fallback answered the model did not."""
    failed, base_failed = candidate.errors + candidate.fallbacks, base.errors + base.fallbacks
    chance = at_least_as_many(failed, candidate.requests, base_failed, base.requests)
    own, theirs = _percent(failed, candidate.requests), _percent(base_failed, base.requests)
    words = (
        f"{failed} of {candidate.requests} requests were not answered by the model ({own}), with the version before "
        f"{base_failed} of {base.requests} ({theirs})."
    )
    return Finding("no_more_errors_than_base", "broken" if chance < alpha else "holds", words)


def _p99(candidate: Figures, base: Figures, ratio: float, alpha: float) -> Finding:
    base_p99, own = base.p99_ms(), candidate.p99_ms()
    if base_p99 is None or own is None:
        return Finding("max_p99_ratio", "waits", "Nothing was answered yet.")
    limit = max(ratio * base_p99, base_p99 + LEAST_MS)
    slow = candidate.slower_than(limit)
    # The base's percentile is an estimate too, and of few requests a low one: the shares must differ as well.
    chance = max(
        at_least(slow, candidate.answered, TAIL),
        at_least_as_many(slow, candidate.answered, base.slower_than(limit), base.answered),
    )
    words = (
        f"99 % were answered within {own:.1f} ms, with the version before within {base_p99:.1f} ms. {slow} of "
        f"{candidate.answered} took longer than {limit:.1f} ms; {TAIL:.0%} may."
    )
    return Finding("max_p99_ratio", "broken" if chance < alpha else "holds", words)


def _answers(candidate: Figures, base: Figures, limit: float, alpha: float) -> Finding:
    total, base_total = sum(candidate.answers.values()), sum(base.answers.values())
    names = sorted({*candidate.answers, *base.answers})
    if not total or not base_total or len(names) > MOST_ANSWERS:
        return Finding("max_answer_shift", "holds", "The answers are no classes, so their shares cannot be compared.")
    worst, gap, broken = "", -1.0, []
    for name in names:
        hits, base_hits = candidate.answers.get(name, 0), base.answers.get(name, 0)
        found = difference(hits, total, base_hits, base_total, level=min(1.0 - alpha / len(names), SUREST))
        if found.low > limit or found.high < -limit:
            broken.append(name)
        if abs(found.value) > gap:
            worst, gap = name, abs(found.value)
    own, theirs = _percent(candidate.answers.get(worst, 0), total), _percent(base.answers.get(worst, 0), base_total)
    words = f"{worst} is {own} of the answers, with the version before {theirs}; they may differ by {limit:.1%}."
    return Finding("max_answer_shift", "broken" if broken else "holds", words)


def _percent(hits: int, trials: int) -> str:
    return f"{hits / trials:.1%}" if trials else "none"
