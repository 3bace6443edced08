"""What one piece of feedback looks like, whichever way it comes: by an endpoint's key, over REST, in a file."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple
from uuid import UUID

from models.gateway.words import Mismatch, check_depth, describe

MAX_ITEMS = 10_000
# A client's clock may be ahead by so much.
CLOCK_SECONDS = 300.0
MAX_RECORD = 2**31 - 1
KEYS = ("prediction_id", "response", "truth", "record", "happened_at", "known_at")
SHAPE = '{"prediction_id": "…", "truth": value} or {"response": value, "truth": value}'
_TIME_REMEDY = "Give ISO 8601, such as 2026-11-27T12:00:00Z; without a zone it is UTC."


class Item(NamedTuple):
    """Truth for record `record` of a prediction, or for `response`. Times are unix seconds."""

    prediction_id: str | None
    record: int
    truth: Any
    response: Any
    happened_at: float | None
    known_at: float


class Fault(NamedTuple):
    """What is wrong with one key of an item (empty: with the whole of it), and what to do."""

    key: str
    message: str
    remedy: str


class BadItem(Exception):
    """The item is no feedback; `faults` says why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def read_item(value: Any, *, now: float) -> Item:
    """The item that a JSON value is. It was known now unless it says when. Raises `BadItem`."""
    if not isinstance(value, dict):
        raise BadItem([Fault("", f"Expected an object, got {describe(value)}.", f"Send {SHAPE}.")])
    faults = [
        Fault(str(key)[:80], f"There is no key {str(key)[:80]!r} in feedback.", f"The keys are {', '.join(KEYS)}.")
        for key in value
        if key not in KEYS
    ][:10]
    faults += _reference_faults(value)
    record = value.get("record", 0)
    if type(record) is not int or not 0 <= record <= MAX_RECORD:
        faults.append(
            Fault("record", f"Expected the number of a record, got {describe(record)}.", "Count records from 0.")
        )
    if value.get("truth") is None:
        faults.append(Fault("truth", "There is no truth.", "Say what turned out to be true."))
    for key in ("truth", "response"):
        try:
            check_depth(value.get(key))
        except Mismatch as mismatch:
            faults.append(Fault(key, f"It has {mismatch}.", "Flatten it."))
    happened, known = (_moment(value.get(key), key, faults) for key in ("happened_at", "known_at"))
    if not faults:
        known = _known(happened, known, now, faults)
    if faults:
        raise BadItem(faults)
    id_ = value.get("prediction_id")
    return Item(
        None if id_ is None else UUID(id_).hex, record, value["truth"], value.get("response"), happened, known or now
    )


def _reference_faults(value: dict[str, Any]) -> list[Fault]:
    id_, response = value.get("prediction_id"), value.get("response")
    if (id_ is None) == (response is None):
        said = "neither prediction_id nor response" if id_ is None else "both prediction_id and response"
        return [Fault("prediction_id", f"It has {said}.", f"Send {SHAPE}.")]
    if response is not None and value.get("record", 0) != 0:
        return [Fault("record", "A response of its own has one record.", "Leave record out.")]
    if id_ is None:
        return []
    try:
        if isinstance(id_, str) and len(id_) <= 36:
            UUID(id_)
            return []
    except ValueError:
        pass
    remedy = "Give the id that the answer carried: prediction_id, or the header X-Modelwright-Prediction-Id."
    return [Fault("prediction_id", f"Expected the id of a prediction, got {describe(id_)}.", remedy)]


def _moment(value: Any, key: str, faults: list[Fault]) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, str) and len(value) <= 40:
            found = datetime.datetime.fromisoformat(value)
            # Into UTC here: the calendar ends there, too, and whoever stores the moment needs it there.
            return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        pass
    faults.append(Fault(key, f"Expected a time, got {describe(value)}.", _TIME_REMEDY))
    return None


def _known(happened: float | None, known: float | None, now: float, faults: list[Fault]) -> float:
    """When it was known: not later than now, not before it happened."""
    latest = now + CLOCK_SECONDS
    if known is not None and known > latest:
        faults.append(Fault("known_at", "It would be known in the future.", "Leave known_at out: it is known now."))
    if happened is not None and happened > (latest if known is None else known):
        faults.append(Fault("happened_at", "It would have happened after it was known.", "Correct one of the times."))
    return max(now, happened or now) if known is None else known
