"""What the ways of computing predictions have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from modelwright_runtime.server.enforced import Parts
from modelwright_runtime.server.inputs import Builder, Inputs
from modelwright_runtime.server.results import Outcome, as_list


class Predictor(Protocol):
    """Turns what a builder made of a batch into an `Outcome`."""

    def predict(self, data: Any) -> Outcome: ...


class PlainPredictor:
    """Asks one function and nothing else."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def predict(self, data: Any) -> Outcome:
        """One prediction per row."""
        return Outcome(as_list(self._function(data), count(data)))


class EnforcedPredictor:
    """Asks mlflow, for each part of a batch that has several."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._plain = PlainPredictor(function)

    def predict(self, data: Any) -> Outcome:
        """One prediction per row, in the order of the batch."""
        if not isinstance(data, Parts):
            return self._plain.predict(data)
        found: dict[int, Any] = {}
        for frame, places in data:
            found.update(zip(places, self._plain.predict(frame).predictions, strict=True))
        return Outcome([found[place] for place in range(len(found))])


def count(data: Any) -> int:
    """How many rows a DataFrame, an array or a dict of arrays has."""
    return len(next(iter(data.values()))) if isinstance(data, dict) else len(data)


class Opened:
    """A model that mlflow has loaded."""

    def __init__(self, pyfunc: Any, directory: Path, inputs: Inputs) -> None:
        self.pyfunc = pyfunc
        self.directory = directory
        self.inputs = inputs

    def raw(self) -> Any:
        """The model of its own library. Raises what mlflow raises where there is none."""
        return self.pyfunc.get_raw_model()

    def flavor(self, name: str) -> dict[str, Any]:
        """What the MLmodel file says under a flavour."""
        conf = self.pyfunc.metadata.flavors.get(name)
        return conf if isinstance(conf, dict) else {}


def as_returned(returned: Any) -> Any:
    """What the model returned, unchanged."""
    return returned


@dataclass(frozen=True)
class Way:
    """How one model's predictions are computed.

    `tolerance` is how far its numbers may be from those of mlflow's way, absolutely and relatively: rounding where
    the same sums are made in another order. `certain` says that it needs no example to be trusted. `named` gives
    outputs that mlflow's way returns as a bare list their names.
    """

    builder: Builder
    predictor: Predictor
    tolerance: float = 0.0
    certain: bool = False
    named: Callable[[Any], Any] = field(default=as_returned)


class Format(Protocol):
    """One module of this folder."""

    def prepare(self) -> None:
        """What must be so before mlflow loads the model. Raises `LoadError` where it cannot be."""

    def way(self, opened: Opened) -> Way | None:
        """A shorter way than mlflow's own; None where there is none for this model."""


class LoadError(Exception):
    """The model cannot be served; the message says why and what to do."""
