"""A compiled model: `model.onnx` and `compiled.json`, answered by onnxruntime and numpy alone.

`compiled.json` says how a row of JSON values becomes a row of doubles: `columns` in the order of the matrix, each with
`read` (`whole`, `single`, `double`, `text`), `missing` (whether the model takes a missing value there) and `known` (the
only texts that it takes); `limits` are the largest numbers that it takes; `words` numbers the texts; `classes` are the
labels of the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import codec
from .formats.ways import LoadError
from .results import Outcome

MODEL, DESCRIPTION = "model.onnx", "compiled.json"
INPUT, OUTPUT = "rows", "scores"
UNKNOWN, MISSING = 0.0, 1.0
_NOT_A_NUMBER = float("nan")
# So many orders of columns are kept in mind.
MAX_PLANS = 64

Reader = Callable[[Sequence[Any]], Sequence[Any]]


class CompiledModel:
    """A compiled model ready to predict from columns and rows of JSON values."""

    def __init__(self, session: Any, description: dict[str, Any]) -> None:
        import numpy

        self._numpy = numpy
        self._run = session.run
        self._classes: list[Any] | None = description["classes"]
        self._gives_probabilities = bool(description.get("probabilities"))
        self._has_label = bool(description.get("has_label"))
        self._tensor = description["tensor"]
        self._takes_missing = bool(description.get("missing", True))
        limits = [float("inf") if each is None else each for each in description.get("limits", ())]
        self._limits, self._lowest_limit = numpy.array(limits), min(limits, default=float("inf"))
        kinds = [column["read"] for column in description["columns"]]
        self._whole, self._single = kinds.count("whole"), kinds.count("whole") + kinds.count("single")
        self._readers = {column["name"]: _reader(column, description["words"]) for column in description["columns"]}
        self._plans: dict[tuple[str, ...], list[tuple[int, Reader]]] = {}

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        """Predictions in row order. Raises `ValueError` for what the original model would not take either."""
        matrix = self._matrix(columns, rows) if self._tensor is None else self._array(columns, rows)
        if self._lowest_limit < float("inf"):
            self._check(matrix)
        scores = self._run([OUTPUT], {INPUT: matrix})[0]
        if self._classes is None:
            return Outcome(scores[:, 0].tolist() if scores.shape[1] == 1 else scores.tolist())
        classes = self._classes
        if self._has_label:
            largest, scores = scores[:, 0].astype(int), scores[:, 1:]
        else:
            largest = scores.argmax(axis=1)
        predictions = [classes[index] for index in largest.tolist()]
        return Outcome(predictions, classes, scores.tolist()) if self._gives_probabilities else Outcome(predictions)

    def _matrix(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        names = tuple(columns)
        plan = self._plans.get(names) or self._plan(names)
        cells = list(zip(*rows, strict=True))
        numpy = self._numpy
        matrix = numpy.ascontiguousarray(
            numpy.array([read(cells[place]) for place, read in plan], dtype=numpy.float64).T
        )
        if self._whole:
            numpy.trunc(matrix[:, : self._whole], out=matrix[:, : self._whole])
        if self._single > self._whole:
            part = matrix[:, self._whole : self._single]
            part[:] = part.astype(numpy.float32)
        return matrix

    def _plan(self, names: tuple[str, ...]) -> list[tuple[int, Reader]]:
        places = {name: place for place, name in enumerate(names)}
        missing = [name for name in self._readers if name not in places]
        if missing:
            raise ValueError(f"the column {missing[0]!r} is missing")
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        self._plans[names] = [(places[name], reader) for name, reader in self._readers.items()]
        return self._plans[names]

    def _array(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        if tuple(columns) != (self._tensor["name"],):
            raise ValueError(f"the model has the one input {self._tensor['name']!r}")
        try:
            array = self._numpy.array([row[0] for row in rows], dtype=self._tensor["dtype"])
        except TypeError as error:
            raise ValueError(f"the input holds what is no number: {error}") from None
        if array.ndim != 2 or array.shape[1] != self._tensor["width"]:
            raise ValueError(f"each value must be a list of {self._tensor['width']} numbers")
        if not self._takes_missing and self._numpy.isnan(array).any():
            raise ValueError("the input has a missing value, which the model does not take")
        return array.astype(self._numpy.float64)

    def _check(self, matrix: Any) -> None:
        largest = abs(matrix).max(initial=0.0)
        if largest <= self._lowest_limit:
            return
        # A missing value makes the largest one not a number, and is looked after elsewhere.
        if (abs(matrix) > self._limits).any():
            raise ValueError(f"a number is larger than {self._lowest_limit:g}, which the model cannot take")


def _reader(column: dict[str, Any], words: dict[str, int]) -> Reader:
    name, takes_missing = column["name"], column.get("missing", True)
    if column["read"] == "text":
        known = column.get("known")
        return (
            _known(name, {word: float(words[word]) for word in known}, takes_missing)
            if known
            else _any_text(name, words, takes_missing)
        )

    def numbers(values: Sequence[Any]) -> Sequence[Any]:
        if None not in values:
            return values
        if not takes_missing:
            raise ValueError(f"the column {name!r} has a missing value, which the model does not take")
        return [_NOT_A_NUMBER if value is None else value for value in values]

    return numbers


class _Codes(dict[Any, float]):
    """Codes of texts. A look-up by `map` runs no Python for each cell, so the default belongs here."""

    def __missing__(self, word: Any) -> float:
        return UNKNOWN


def _any_text(name: str, words: dict[str, int], takes_missing: bool) -> Reader:
    codes = _Codes({word: float(code) for word, code in words.items()})
    if takes_missing:
        codes[None] = MISSING
    get = codes.__getitem__

    def texts(values: Sequence[Any]) -> Sequence[Any]:
        if not takes_missing and None in values:
            raise ValueError(f"the column {name!r} has a missing value, which the model does not take")
        return list(map(get, values))

    return texts


def _known(name: str, codes: dict[Any, float], takes_missing: bool) -> Reader:
    if takes_missing:
        codes[None] = MISSING

    def texts(values: Sequence[Any]) -> Sequence[Any]:
        try:
            return list(map(codes.__getitem__, values))
        except KeyError as error:
            raise ValueError(f"the column {name!r} has {error.args[0]!r}, which the model does not know") from None

    return texts


def load_compiled(directory: Path) -> CompiledModel:
    """The compiled model of a folder. Raises `LoadError`."""
    try:
        description = codec.decode((directory / DESCRIPTION).read_bytes())
    except (OSError, ValueError) as error:
        raise LoadError(f"{directory} holds no compiled model: {error}; compile the model again") from error
    try:
        import onnxruntime
    except ImportError as error:
        raise LoadError(f"onnxruntime cannot be imported in this environment ({error})") from error
    options = onnxruntime.SessionOptions()
    # One row is too little for threads; a second replica is the way to more.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(directory / MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise LoadError(f"the compiled model in {directory} cannot be loaded: {error}; compile it again") from error
    return CompiledModel(session, description)
