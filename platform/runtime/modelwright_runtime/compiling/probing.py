"""The probe set: a few thousand rows on which the compiled model has to answer what the original answers.

It is the same for the same model: nothing in it is left to chance but a generator with a fixed seed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelwright_runtime.server.inputs import Rows

from .conversion import Conversion
from .inputs import DOUBLE, SINGLE, TEXT, TRUTH, WHOLE

SEED = 20260101
SEEDS, MIXED, JITTERED, EDGES, ODD, THRESHOLDS = 500, 1000, 500, 1500, 300, 400
CATEGORIES = 5000
# More than single precision can say.
TOO_LARGE = 1e39
UNSEEN = "a category that was never seen"
# Files that may lie beside the model, such as MLflow's `extra_files`: rows of its author's choice.
PROBE_FILES = ("probe.json", "probe.csv")
_PLAIN = (0.0, 1.0, -1.0, 0.5, 10.0, 100.0, -100.0, 1e6, 16777217.0)
_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
# What all numbers of a row may be at once: sums and norms of such rows are often a case of their own.
_ALIKE = (0.0, 1.0, -1.0, 1e-8, 1e-17)
_LARGEST = {"whole": 2.0**31 - 1, "single": 3.0e38, "double": 1e300}


@dataclass
class Pools:
    """Per column of the matrix: values that rows are made from, those at which the answer may jump, those that encoders
    know, whether a missing value and an unseen text may come."""

    values: list[list[Any]] = field(default_factory=list)
    edges: list[list[float]] = field(default_factory=list)
    categories: list[list[Any]] = field(default_factory=list)
    takes_missing: list[bool] = field(default_factory=list)
    takes_unseen: list[bool] = field(default_factory=list)


def seeds(conversion: Conversion, directory: Path, example: Rows | None) -> list[list[Any]]:
    """Rows in the order of the matrix from the model's example and from probe files, at least one."""
    names, kinds = _names(conversion), _kinds(conversion)
    found = [_arranged(names, example.columns, row) for row in example.rows[:SEEDS]] if example is not None else []
    if conversion.plan.tensor is not None:
        found = [list(row[0]) for row in example.rows[:SEEDS]] if example is not None else []
    for path in sorted(path for name in PROBE_FILES for path in directory.rglob(name)):
        found.extend(_arranged(names, tuple(record), list(record.values())) for record in _records(path))
    rows = [_truthful(row, kinds) for row in found[:SEEDS] if row is not None]
    return rows or [_made_up(conversion)]


def pools(conversion: Conversion, rows: list[list[Any]]) -> Pools:
    """What each column may hold."""
    made = Pools()
    graph = conversion.graph
    chance = random.Random(SEED)  # noqa: S311 - the same rows every time
    for index, kind in enumerate(_kinds(conversion)):
        seen = list(dict.fromkeys(row[index] for row in rows if row[index] is not None))
        if kind == TEXT:
            made.categories.append(sorted(graph.words_of[index]))
            made.values.append(seen + [word for word in sorted(graph.words_of[index]) if word not in seen])
            made.edges.append([])
            continue
        if kind == TRUTH:
            # No request holds anything else in such a column.
            made.categories.append([False, True])
            made.values.append([False, True])
            made.edges.append([])
            continue
        made.categories.append([_as(value, kind) for value in sorted(graph.categories[index])])
        found = sorted(graph.edges[index])
        kept = chance.sample(found, min(len(found), THRESHOLDS))
        edges = sorted({near for edge in kept for near in _beside(edge, kind)})
        usual = [_as(value, kind) for value in sorted(graph.usual[index]) if math.isfinite(value)]
        made.values.append([*seen, *usual, *chance.sample(edges, min(len(edges), 60))] or [0.0, 1.0])
        made.edges.append(edges)
    return made


def rows(conversion: Conversion, seeds: list[list[Any]], pools: Pools) -> list[list[Any]]:
    """The probe set, each row in the order of the matrix."""
    chance = random.Random(SEED)  # noqa: S311 - the same rows every time
    kinds = _kinds(conversion)
    found = [list(row) for row in seeds]
    found += [_mixed(chance, pools) for _ in range(MIXED)]
    found += [_jittered(chance, chance.choice(seeds), kinds) for _ in range(JITTERED)]
    found += list(_each(chance, pools.edges, EDGES, found[: len(seeds) + MIXED]))
    found += list(_odd(chance, kinds, pools, found[: len(seeds) + MIXED]))
    found += list(_alike(conversion, kinds, pools, seeds[0]))
    found += list(_each(chance, pools.categories, CATEGORIES, found[: len(seeds) + MIXED]))
    return found


def digest(columns: list[str], rows: list[list[Any]]) -> str:
    """The SHA-256 of the probe set."""
    said = json.dumps([columns, rows], separators=(",", ":"), sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def _names(conversion: Conversion) -> list[str]:
    return [each.name for each in conversion.plan.columns]


def _kinds(conversion: Conversion) -> list[str]:
    if conversion.plan.tensor is not None:
        kind = SINGLE if conversion.plan.dtype == "float32" else WHOLE if "int" in conversion.plan.dtype else "double"
        return [kind] * conversion.plan.width
    return [each.read for each in conversion.plan.columns]


def _arranged(names: list[str], columns: tuple[str, ...], row: list[Any]) -> list[Any] | None:
    given = dict(zip(columns, row, strict=False))
    return [given[name] for name in names] if all(name in given for name in names) else None


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return [{name: _cell(text) for name, text in record.items()} for record in csv.DictReader(file)]
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if isinstance(document, dict) and "columns" in document and "data" in document:
        return [dict(zip(document["columns"], row, strict=False)) for row in document["data"]]
    return [record for record in document if isinstance(record, dict)] if isinstance(document, list) else []


def _cell(text: str | None) -> Any:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _made_up(conversion: Conversion) -> list[Any]:
    words = conversion.graph.words_of
    return [
        min(words[index], default="") if kind == TEXT else _as(0.0, kind)
        for index, kind in enumerate(_kinds(conversion))
    ]


def _truthful(row: list[Any], kinds: list[str]) -> list[Any]:
    """The row with true and false as such, whichever way a file of probes writes them."""
    return [_TRUTHS.get(str(value).lower()) if kind == TRUTH else value for value, kind in zip(row, kinds, strict=True)]


def _as(value: float, kind: str) -> Any:
    if kind == TRUTH:
        return value > 0
    if kind == WHOLE:
        return int(min(max(round(value), -(2**31)), 2**31 - 1))
    return value


def _beside(edge: float, kind: str) -> Iterator[Any]:
    """The value and its nearest neighbours in double and in single precision, or among whole numbers."""
    import numpy

    if not math.isfinite(edge) or abs(edge) >= _LARGEST[kind]:
        return
    if kind == WHOLE:
        yield from (math.floor(edge) + step for step in (-1, 0, 1, 2))
        return
    single = numpy.float32(edge)
    for toward in (-numpy.inf, numpy.inf):
        beside, far = numpy.float64(edge), single
        for _ in range(2):
            beside, far = numpy.nextafter(beside, toward), numpy.nextafter(far, numpy.float32(toward))
            yield from (float(beside), float(far))
        # Half-way between two neighbours of single precision is where rounding decides.
        yield (float(single) + float(numpy.nextafter(single, numpy.float32(toward)))) / 2
    yield from (float(edge), float(single))


def _mixed(chance: random.Random, pools: Pools) -> list[Any]:
    return [chance.choice(values) if values else "" for values in pools.values]


def _jittered(chance: random.Random, row: list[Any], kinds: list[str]) -> list[Any]:
    made = []
    for value, kind in zip(row, kinds, strict=True):
        if kind == TEXT or value is None or isinstance(value, bool):
            made.append(value)
        else:
            made.append(_as(value * (1 + chance.gauss(0, 0.2)) + chance.gauss(0, 0.01), kind))
    return made


def _each(
    chance: random.Random, values: Sequence[Sequence[Any]], most: int, bases: list[list[Any]]
) -> Iterator[list[Any]]:
    """A row for each of the columns' values, or for so many of them."""
    places = [(index, value) for index, column in enumerate(values) for value in column]
    for index, value in places if len(places) <= most else chance.sample(places, most):
        row = list(chance.choice(bases))
        row[index] = value
        yield row


def _alike(conversion: Conversion, kinds: list[str], pools: Pools, base: list[Any]) -> Iterator[list[Any]]:
    """Rows whose numbers are all the same, all as many steps from what is usual, or all missing where they may be."""
    usual = [sorted(conversion.graph.usual.get(index, ())) for index in range(len(kinds))]
    numbers = [[value] * len(kinds) for value in _ALIKE]
    for step in range(max(map(len, usual), default=0)):
        numbers.append([values[step] if step < len(values) else 0.0 for values in usual])
    for row in numbers:
        yield [old if kind == TEXT else _as(value, kind) for old, value, kind in zip(base, row, kinds, strict=True)]
    if any(pools.takes_missing):
        yield [None if pools.takes_missing[index] else value for index, value in enumerate(base)]


def _far(kind: str) -> list[Any]:
    if kind == TEXT:
        return ["", UNSEEN, "0", "nan", "None"]
    if kind == TRUTH:
        return [False, True]
    return [*(_as(value, kind) for value in (*_PLAIN, 1e30, -1e30)), *([TOO_LARGE] if kind == DOUBLE else [])]


def _odd(chance: random.Random, kinds: list[str], pools: Pools, bases: list[list[Any]]) -> Iterator[list[Any]]:
    """Missing values, texts that were never seen, and numbers far away."""
    for index, kind in enumerate(kinds):
        for value in [None, *_far(kind)]:
            row = list(chance.choice(bases))
            row[index] = value
            yield row
    for _ in range(ODD):
        row = list(chance.choice(bases))
        for index, kind in enumerate(kinds):
            if pools.takes_missing[index] and chance.random() < 0.2:
                row[index] = None
            elif kind == TEXT and pools.takes_unseen[index] and chance.random() < 0.2:
                row[index] = UNSEEN
        yield row
