"""Rules that answer in a model's place: a few comparisons with columns of a record. Data, never code.

`{"when": [{"column": "income", "below": 1200}, …], "all": false, "then": {"prediction": …}, "otherwise": {…}}`: `then`
where any of the comparisons holds (with `all`, every one), else `otherwise`. Comparisons: `below`, `above`, `at_least`,
`at_most`, `equals`, `not_equals`, `one_of`, `missing`. A missing value fulfils `missing: true` and nothing else; one of
another type than what it is compared with fulfils `not_equals` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple

import orjson

from models.gateway.choices import MAX_CHOICES, OneOf, are_choices, is_plain

MAX_CONDITIONS = 50
MAX_BYTES = 64 * 1024
DIGEST_DIGITS = 16
SERVED_BY = "rule:"
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {"below": lt, "above": gt, "at_least": ge, "at_most": le}
COMPARISONS = (*_ORDERED, "equals", "not_equals", "one_of", "missing")

Test = Callable[[Mapping[str, Any]], bool]


class RuleError(ValueError):
    """What is given is no rule; the message says what is wrong, for people."""


class Answer(NamedTuple):
    """What a rule says about a record. `probabilities` are by class, where the rule gives any."""

    prediction: Any
    probabilities: Mapping[str, float] | None = None


class Rule:
    """A checked rule. `columns` are those that it looks at, `digest` names its content."""

    def __init__(self, tests: Sequence[Test], columns: frozenset[str], outcome: _Outcome, digest: str) -> None:
        self._tests = tests
        self._decide = all if outcome.needs_all else any
        self._then, self._otherwise = outcome.then, outcome.otherwise
        self.columns = columns
        self.digest = digest

    @property
    def served_by(self) -> str:
        """As it stands on the record of what it answered."""
        return f"{SERVED_BY}{self.digest}"

    def answer(self, record: Mapping[str, Any]) -> Answer:
        """What it says about one record, whatever the record holds."""
        return self._then if self._decide(test(record) for test in self._tests) else self._otherwise

    def answers(self, records: Sequence[Any]) -> tuple[list[Any], list[Mapping[str, float]] | None]:
        """Predictions for all records, in their order, and probabilities where the rule gives them."""
        found = [self.answer(record if isinstance(record, dict) else {}) for record in records]
        probabilities = [answer.probabilities for answer in found if answer.probabilities is not None]
        return [answer.prediction for answer in found], probabilities or None


class _Outcome(NamedTuple):
    needs_all: bool
    then: Answer
    otherwise: Answer


def compile_rule(data: Any) -> Rule:
    """The rule that the data describe. Raises `RuleError`."""
    known = {"when", "all", "then", "otherwise"}
    if not isinstance(data, dict) or not {"when", "then", "otherwise"} <= data.keys() <= known:
        raise RuleError("a rule has the entries when, then and otherwise, and may have all")
    try:
        content = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError) as error:
        raise RuleError(f"the rule cannot be written as JSON: {error}") from None
    if len(content) > MAX_BYTES:
        raise RuleError(f"the rule has {len(content)} bytes, more than {MAX_BYTES}")
    when, needs_all = data["when"], data.get("all", False)
    if not isinstance(needs_all, bool):
        raise RuleError("all is neither true nor false")
    if not isinstance(when, list) or not 1 <= len(when) <= MAX_CONDITIONS:
        raise RuleError(f"when is no list of 1 to {MAX_CONDITIONS} comparisons")
    tests = [compile_condition(condition) for condition in when]
    outcome = _Outcome(needs_all, _answer("then", data["then"]), _answer("otherwise", data["otherwise"]))
    if (outcome.then.probabilities is None) != (outcome.otherwise.probabilities is None):
        raise RuleError("then and otherwise both have probabilities, or neither has")
    columns = frozenset(str(condition["column"]) for condition in when)
    return Rule(tests, columns, outcome, sha256(content).hexdigest()[:DIGEST_DIGITS])


def compile_condition(data: Any) -> Test:
    """The test of `{"column": …, <comparison>: …}`; of several comparisons all must hold. Raises `RuleError`."""
    if not isinstance(data, dict) or not isinstance(data.get("column"), str):
        raise RuleError("a comparison names its column")
    column = data["column"]
    names = data.keys() - {"column"}
    unknown = sorted(str(name) for name in names if name not in COMPARISONS)
    if unknown or not names:
        raise RuleError(f"{column[:80]!r} is compared by {', '.join(unknown)[:80] or 'nothing'}; use {_LISTED}")
    tests = [compile_comparison(name, data[name]) for name in sorted(names)]
    if len(tests) == 1:
        (only,) = tests
        return lambda record: only(record.get(column))
    return lambda record: all(test(record.get(column)) for test in tests)


def compile_comparison(name: str, bound: Any) -> Callable[[Any], bool]:
    """The test of a value: `below` 1200, `one_of` a list. Raises `RuleError`."""
    if name == "missing":
        if not isinstance(bound, bool):
            raise RuleError("missing is neither true nor false")
        return lambda value: (value is None) is bound
    if name in _ORDERED:
        return _ordered(name, bound)
    if name == "one_of":
        if not are_choices(bound):
            raise RuleError(f"one_of is no list of 1 to {MAX_CHOICES} texts, numbers or truth values")
        return OneOf(bound).__contains__
    if not is_plain(bound):
        raise RuleError(f"{name} compares with a text, a number or a truth value")
    if name == "equals":
        return lambda value: _same(value, bound)
    return lambda value: value is not None and is_plain(value) and not _same(value, bound)


def _ordered(name: str, bound: Any) -> Callable[[Any], bool]:
    compare = _ORDERED[name]
    if _is_number(bound):
        return lambda value: _is_number(value) and compare(value, bound)
    if isinstance(bound, str):  # moments in ISO 8601 are ordered as texts
        return lambda value: isinstance(value, str) and compare(value, bound)
    raise RuleError(f"{name} compares with a number or a text")


def _same(value: Any, other: Any) -> bool:
    # A truth value is no number here, though Python says that True is 1.
    return isinstance(value, bool) is isinstance(other, bool) and is_plain(value) and eq(value, other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _answer(name: str, data: Any) -> Answer:
    if not isinstance(data, dict) or not {"prediction"} <= data.keys() <= {"prediction", "probabilities"}:
        raise RuleError(f"{name} has the entry prediction, and may have probabilities")
    probabilities = data.get("probabilities")
    if probabilities is None:
        return Answer(data["prediction"])
    if not isinstance(probabilities, dict) or not probabilities:
        raise RuleError(f"probabilities of {name} are no mapping of classes to numbers")
    for chance in probabilities.values():
        if not _is_number(chance) or not 0 <= chance <= 1:
            raise RuleError(f"a probability of {name} is no number from 0 to 1")
    return Answer(data["prediction"], {str(label): float(chance) for label, chance in probabilities.items()})


_LISTED = ", ".join(COMPARISONS)
