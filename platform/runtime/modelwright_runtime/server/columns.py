"""From rows of JSON values to the pandas DataFrame that the model was trained on, column by column."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import nested

Values = Sequence[Any]
Builder = Callable[[Values], Any]


class Column(NamedTuple):
    """One input of the signature; `type` is MLflow's name, e.g. `long`, `double`, `string`. `spec` says what is in a
    list, an object or a map, as the MLmodel file does. An `unnamed` one is known by its place, which is its name."""

    name: str
    type: str
    required: bool
    spec: Mapping[str, Any] | None = None
    unnamed: bool = False


class FrameBuilder:
    """Builds a DataFrame of the signature's dtypes. Columns it does not know keep the dtype pandas infers.

    With `enforced` its values are those that MLflow's enforcement of the signature takes. That knows no missing whole
    number: whoever has one leaves the column out, see `enforced`.
    """

    def __init__(self, signature: Sequence[Column], *, enforced: bool = False) -> None:
        import numpy
        import pandas

        self._pandas = pandas
        self._numpy = numpy
        self._enforced = enforced
        # What pandas makes of texts.
        self._text = pandas.Series([""]).dtype
        self._leaves = self._strict_leaves() if enforced else nested.floats()
        self._builders = {column.name: self._builder_of(column) for column in signature}
        self._order = tuple(self._builders)

    def build(self, columns: Sequence[str], rows: Sequence[Values]) -> Any:
        """A DataFrame with one row per row of `rows`, in their order. Raises `ValueError` for a wrong value."""
        series: dict[str, Any] = {}
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            builder = self._builders.get(name)
            series[name] = list(values) if builder is None else builder(values)
        if self._order and tuple(series) != self._order:
            # Models that read a table as a matrix rely on the signature's order.
            known = [name for name in self._order if name in series]
            series = {name: series[name] for name in [*known, *(name for name in series if name not in self._builders)]}
        return self._pandas.DataFrame(series, copy=False)

    def _builder_of(self, column: Column) -> Builder:
        numpy, kind = self._numpy, column.type
        numeric = {"integer": numpy.int32, "long": numpy.int64}
        if kind in numeric:
            return self._whole(numeric[kind])
        if kind == "boolean":
            return self._truths if self._enforced else self._whole(numpy.bool_)
        if kind in ("double", "float"):
            dtype = numpy.float64 if kind == "double" else numpy.float32
            return lambda values: numpy.array(values, dtype=dtype)
        if kind == "datetime":
            return self._moments
        if kind == "binary":
            return lambda values: self._objects([None if v is None else base64.b64decode(v) for v in values])
        if kind == "string":
            return self._texts if self._enforced else self._objects
        return self._nested(nested.converter(column.spec or {"type": kind}, self._leaves))

    def _nested(self, convert: nested.Convert | None) -> Builder:
        finish = self._cells if self._enforced else self._objects
        if convert is None:
            return finish
        return lambda values: finish([None if value is None else convert(value) for value in values])

    def _whole(self, dtype: Any) -> Builder:
        def build(values: Values) -> Any:
            if None in values:
                return self._numpy.array(values, dtype=self._numpy.float64)
            return self._numpy.array(values, dtype=dtype)

        return build

    def _truths(self, values: Values) -> Any:
        return self._cells(values) if None in values else self._numpy.array(values, dtype=self._numpy.bool_)

    def _moments(self, values: Values) -> Any:
        """Moments in UTC, without a zone, as models are trained on them; those that name no zone are in UTC as well. Of
        one dtype, whatever stands beside them."""
        moments = self._pandas.to_datetime([None if value is None else self._moment(value) for value in values])
        return moments.astype("datetime64[ns]")

    def _moment(self, value: Any) -> Any:
        # One by one: pandas expects all texts of a list to be written as the first one is.
        try:
            moment = self._pandas.Timestamp(value)
        except ValueError:
            moment = self._pandas.Timestamp(datetime.datetime.fromisoformat(value))
        return moment if moment.tzinfo is None else moment.tz_convert(None)

    def _objects(self, values: Values) -> Any:
        # pandas and scikit-learn know a missing text as NaN, which JSON cannot say.
        return self._cells(
            [self._numpy.nan if value is None else value for value in values] if None in values else values
        )

    def _texts(self, values: Values) -> Any:
        if None in values and str not in map(type, values):
            return self._pandas.array([self._numpy.nan] * len(values), dtype=self._text)
        return self._objects(values)

    def _cells(self, values: Values) -> Any:
        array = self._numpy.empty(len(values), dtype=object)
        if list in map(type, values):
            for index, cell in enumerate(values):  # numpy would take lists of one length for a second axis
                array[index] = cell
        else:
            array[:] = values
        return array

    def _strict_leaves(self) -> dict[str, nested.Leaf]:
        """MLflow looks at the class of each number, and not only at its value."""
        numpy = self._numpy

        def numbers(dtype: Any) -> nested.Leaf:
            return nested.Leaf(dtype, lambda values: list(numpy.array(values, dtype=dtype)))

        def moments(values: Values) -> list[Any]:
            return list(self._moments(values).to_numpy()) if values else []

        def raw(value: Any) -> Any:
            return None if value is None else base64.b64decode(value)

        return {
            "double": nested.Leaf(float, lambda values: numpy.array(values, dtype=numpy.float64).tolist()),
            "float": numbers(numpy.float32),
            "integer": numbers(numpy.int32),
            "datetime": nested.Leaf(lambda value: moments([value])[0], moments),
            "binary": nested.Leaf(raw, lambda values: [raw(value) for value in values]),
        }
