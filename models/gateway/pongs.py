"""What replicas say of themselves in their pongs, as families. A replica runs code of users: nothing it says is taken
over before it is checked, and whatever it says, the exposition stays one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from modelwright_runtime import metrics as limits

from modelwright.core.exposition import Family, Kind, Labels

MAX_PONG_BYTES = 512 * 1024
MAX_LINES = 1000
PREFIX = "modelwright_model_"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


class Told(NamedTuple):
    """A replica of the current table. `pong` is the payload of its newest pong, empty before the first one."""

    labels: Labels
    is_connected: bool
    pong: bytes


def families(replicas: Iterable[Told]) -> list[Family]:
    """What every replica says of itself, and what model code counted there."""
    own = _Own()
    custom = _Custom()
    refused = 0
    for replica in replicas:
        own.up.add(float(replica.is_connected), **dict(replica.labels))
        said = _read(replica.pong)
        own.take(said, replica.labels)
        refused += custom.take(said, replica.labels)
    left_out = Family(
        "modelwright_replica_metrics_refused",
        "gauge",
        "Metrics of model code that are left out, because they break a limit or contradict another model's.",
    )
    left_out.add(refused)
    return [*own.families(), left_out, *custom.families.values()]


class _Own:
    """What every model server tells."""

    def __init__(self) -> None:
        self.up = Family("modelwright_replica_up", "gauge", "1 while the gateway is connected to the replica.")
        self._rows = Family("modelwright_replica_rows_total", "counter", "Rows that the model predicted.")
        self._batches = Family("modelwright_replica_batches_total", "counter", "Calls of the model.")
        self._errors = Family("modelwright_replica_errors_total", "counter", "Frames that the model could not predict.")
        self._busy = Family("modelwright_replica_busy_seconds", "gauge", "How long the call in hand has taken so far.")
        self._memory = Family("modelwright_replica_memory_bytes", "gauge", "Memory that the model server uses.")
        self._predict = Family(
            "modelwright_replica_predict_seconds", "histogram", "How long a call of the model takes."
        )

    def families(self) -> tuple[Family, ...]:
        return (self.up, self._rows, self._batches, self._errors, self._busy, self._memory, self._predict)

    def take(self, said: dict[str, Any], labels: Labels) -> None:
        """Whatever of it is a number; the rest is as if it had not been said."""
        for family, key in (
            (self._rows, "rows_predicted"),
            (self._batches, "batches"),
            (self._errors, "errors"),
            (self._busy, "busy_seconds"),
            (self._memory, "memory_bytes"),
        ):
            if _is_count(said.get(key)):
                family.add(said[key], **dict(labels))
        try:
            _add_histogram(self._predict, said.get("predict"), labels)
        except _Refused:
            return


class _Custom:
    """What model code counted. The first to use a name says what it is."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        self._taken: dict[str, str] = {}

    def take(self, said: dict[str, Any], labels: Labels) -> int:
        """How many metrics were left out."""
        told = said.get("metrics")
        if not isinstance(told, list):
            return 0
        refused = max(len(told) - limits.MAX_METRICS, 0)
        lines = 0
        for entry in told[: limits.MAX_METRICS]:
            try:
                family = _family(entry, labels)
                lines += len(family.samples)
                if lines > MAX_LINES:
                    raise _Refused
                self._add(family)
            except _Refused:
                refused += 1
        return refused

    def _add(self, family: Family) -> None:
        known = self.families.get(family.name)
        if known is None:
            suffixes = ("", "_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
            names = [f"{family.name}{suffix}" for suffix in suffixes]
            if any(name in self._taken for name in names):
                raise _Refused
            self._taken |= dict.fromkeys(names, family.name)
            self.families[family.name] = family
        elif known.kind != family.kind:
            raise _Refused
        else:
            known.samples += family.samples


class _Refused(Exception):
    """What was said cannot be taken over."""


def _read(pong: bytes) -> dict[str, Any]:
    if not pong or len(pong) > MAX_PONG_BYTES:
        return {}
    try:
        said = orjson.loads(pong)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _family(entry: Any, labels: Labels) -> Family:
    if not isinstance(entry, dict):
        raise _Refused
    name, kind, series = entry.get("name"), entry.get("kind"), entry.get("series")
    if not isinstance(name, str) or not _NAME.match(name) or not isinstance(series, list):
        raise _Refused
    kinds: dict[object, Kind] = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}
    if not isinstance(kind, str) or kind not in kinds or len(series) > limits.MAX_SERIES:
        raise _Refused
    suffix = "_total" if kind == "counter" and not name.endswith("_total") else ""
    family = Family(f"{PREFIX}{name}{suffix}", kinds[kind], str(entry.get("help", ""))[: limits.MAX_HELP])
    seen = set()
    for each in series:
        own = _own_labels(each)
        if own in seen:
            raise _Refused
        seen.add(own)
        if kind == "histogram":
            _add_histogram(family, each, (*labels, *own))
        elif _is_number(each.get("value")):
            family.add(each["value"], **dict((*labels, *own)))
        else:
            raise _Refused
    return family


def _own_labels(series: Any) -> Labels:
    found = series.get("labels", {}) if isinstance(series, dict) else None
    if not isinstance(found, dict) or len(found) > limits.MAX_LABELS:
        raise _Refused
    for name, value in found.items():
        if not _NAME.match(name) or name in limits.RESERVED or not isinstance(value, str):
            raise _Refused
    return tuple((name, value[: limits.MAX_LABEL_VALUE]) for name, value in sorted(found.items()))


def _add_histogram(family: Family, said: Any, labels: Labels) -> None:
    if not isinstance(said, dict):
        raise _Refused
    bounds, counts = said.get("bounds"), said.get("counts")
    total: Any = said.get("sum")
    if not isinstance(bounds, list) or not isinstance(counts, list) or not _is_number(total):
        raise _Refused
    if len(counts) != len(bounds) + 1 or len(bounds) > limits.MAX_BUCKETS or not all(map(_is_count, counts)):
        raise _Refused
    if not all(map(_is_number, bounds)) or sorted(set(bounds)) != bounds:
        raise _Refused
    family.add_histogram(bounds, counts, total, labels)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0
