"""Prometheus' text format: families of samples, written with everything escaped. No Django."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

TEXT = "text/plain; version=0.0.4; charset=utf-8"

# Upper bounds in seconds of everything that takes time here.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_LONGEST_LABEL = 256


class Sample(NamedTuple):
    """One line: `suffix` follows the family's name (`_bucket`, `_sum`, `_count`), for others it is empty."""

    labels: Labels
    value: float
    suffix: str = ""


@dataclass(slots=True)
class Family:
    """All samples of one name."""

    name: str
    kind: Kind
    help: str
    samples: list[Sample] = field(default_factory=list)

    def add(self, value: float, /, **labels: str) -> None:
        """One more series."""
        self.samples.append(Sample(tuple(labels.items()), value))

    def add_histogram(self, bounds: Sequence[float], counts: Sequence[float], total: float, labels: Labels) -> None:
        """One more histogram: `counts[i]` values up to `bounds[i]`, the last one those above; `total` is their sum."""
        running = 0.0
        for bound, count in zip(_words(tuple(bounds)), counts, strict=True):
            running += count
            self.samples.append(Sample((*labels, bound), running, "_bucket"))
        self.samples.append(Sample(labels, total, "_sum"))
        self.samples.append(Sample(labels, running, "_count"))


class Histogram:
    """Counts by bucket, for the thread or loop that owns it."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def render(families: Iterable[Family]) -> bytes:
    """The exposition. A family without samples is left out; raises `ValueError` for a name that cannot be one."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        if not _NAME.match(family.name):
            raise ValueError(f"{family.name!r} is no name of a metric")
        lines.append(f"# HELP {family.name} {_escaped_help(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        name = family.name
        lines += [f"{name}{suffix}{labels_text(labels)} {number(value)}" for labels, value, suffix in family.samples]
    return ("\n".join(lines) + "\n").encode()


def labels_text(labels: Labels) -> str:
    """`{name="value",…}` with the values escaped and cut to what a label may hold, or nothing."""
    if not labels:
        return ""
    return f"{{{','.join([_pair(name, value) for name, value in labels])}}}"


def number(value: float) -> str:
    """A value in the format's words; whole numbers without a fraction."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


# A gateway writes the same few labels thousands of times.
@lru_cache(maxsize=8192)
def _pair(name: str, value: str) -> str:
    if not _LABEL.match(name):
        raise ValueError(f"{name!r} is no name of a label")
    # What cannot be printed, such as a line's end or half a surrogate pair, must not break the whole exposition.
    shown = "".join([each if each.isprintable() else "?" for each in value[:_LONGEST_LABEL]])
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


@lru_cache(maxsize=256)
def _words(bounds: tuple[float, ...]) -> Labels:
    return tuple(("le", bound) for bound in (*map(number, bounds), "+Inf"))


def _escaped_help(text: str) -> str:
    return "".join([each if each.isprintable() else " " for each in text]).replace("\\", "\\\\")
