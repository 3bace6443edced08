"""What a combiner makes of the outputs of several nodes for one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from models.gateway.words import describe


class CannotCombine(Exception):
    """The outputs do not go together; the text says why."""


class Part(NamedTuple):
    """The output of one node for one record, the probabilities that it gave, and its weight."""

    node: str
    output: Any
    chances: Mapping[str, float | None] | None
    weight: float = 1.0


class Combined(NamedTuple):
    """What came of it."""

    output: Any
    chances: Mapping[str, float] | None = None


def combine(method: str, parts: Sequence[Part]) -> Combined:
    """Make one output of at least one part. `mean` and `weighted` average probabilities where every part has them, else
    numbers, however they are nested; `vote` counts equal outputs, the earlier part's wins a tie; `first` is the first
    part; `merge` names each. Raises CannotCombine."""
    if not parts:
        raise CannotCombine("none of its nodes answered")
    if method == "first":
        return _as_it_is(parts[0])
    if method == "merge":
        return Combined({part.node: part.output for part in parts})
    if method == "vote":
        return _vote(parts)
    if all(part.chances for part in parts):
        return _soft_vote(parts)
    return Combined(_mean([(part.output, part.weight) for part in parts]))


def _as_it_is(part: Part) -> Combined:
    chances = part.chances
    known = {name: chance for name, chance in chances.items() if chance is not None} if chances else None
    return Combined(part.output, known)


def _vote(parts: Sequence[Part]) -> Combined:
    keys = [orjson.dumps(part.output, option=orjson.OPT_SORT_KEYS) for part in parts]
    votes = Counter(keys)
    winner = max(votes, key=lambda key: (votes[key], -keys.index(key)))
    shares = None
    if not any(isinstance(part.output, (list, dict)) for part in parts):
        outputs = dict(zip(reversed(keys), (part.output for part in reversed(parts)), strict=True))
        shares = {str(outputs[key]): count / len(parts) for key, count in votes.items()}
    return Combined(parts[keys.index(winner)].output, shares)


def _soft_vote(parts: Sequence[Part]) -> Combined:
    total = sum(part.weight for part in parts)
    sums: dict[str, float] = {}
    for part in parts:
        for name, chance in (part.chances or {}).items():
            if chance is None:
                raise CannotCombine(f"{part.node} gave no probability of {name!r}")
            sums[name] = sums.get(name, 0.0) + chance * part.weight / total
    winner = max(sums, key=lambda name: (sums[name], name))
    return Combined(_label(winner, parts), sums)


def _label(name: str, parts: Sequence[Part]) -> Any:
    """The class as its models write it. Names of probabilities are texts, whatever the classes are."""
    for part in parts:
        if not isinstance(part.output, (list, dict)) and str(part.output) == name:
            return part.output
    kind = type(parts[0].output)
    try:
        if kind is bool:
            return {"True": True, "False": False}.get(name, name)
        return kind(name) if kind in (int, float) else name
    except ValueError:
        return name


def _mean(values: Sequence[tuple[Any, float]]) -> Any:
    found = [value for value, _ in values]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in found):
        total = sum(weight for _, weight in values)
        return sum(value * weight for value, weight in values) / total
    if all(isinstance(value, list) and len(value) == len(found[0]) for value in found):
        return [_mean([(value[at], weight) for value, weight in values]) for at in range(len(found[0]))]
    if all(isinstance(value, dict) and value.keys() == found[0].keys() for value in found):
        return {name: _mean([(value[name], weight) for value, weight in values]) for name in found[0]}
    raise CannotCombine(f"{describe(found[0])} and {describe(found[-1])} have no mean")
