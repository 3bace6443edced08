"""From rows of JSON values to the pandas DataFrame that the model was trained on, column by column."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Values = Sequence[Any]
Builder = Callable[[Values], Any]


class Column(NamedTuple):
    """One input of the signature; `type` is MLflow's name, e.g. `long`, `double`, `string`."""

    name: str
    type: str
    required: bool


class FrameBuilder:
    """Builds a DataFrame of the signature's dtypes. Columns it does not know keep the dtype pandas infers."""

    def __init__(self, signature: Sequence[Column]) -> None:
        import numpy
        import pandas

        self._pandas = pandas
        self._numpy = numpy
        self._builders = {column.name: self._builder_of(column.type) for column in signature}
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

    def _builder_of(self, type_name: str) -> Builder:
        numpy = self._numpy
        numeric = {"integer": numpy.int32, "long": numpy.int64, "boolean": numpy.bool_}
        if type_name in numeric:
            return self._whole(numeric[type_name])
        if type_name in ("double", "float"):
            dtype = numpy.float64 if type_name == "double" else numpy.float32
            return lambda values: numpy.array(values, dtype=dtype)
        if type_name == "datetime":
            return self._moments
        if type_name == "binary":
            return lambda values: self._objects([None if v is None else base64.b64decode(v) for v in values])
        return self._objects

    def _whole(self, dtype: Any) -> Builder:
        def build(values: Values) -> Any:
            if None in values:
                return self._numpy.array(values, dtype=self._numpy.float64)
            return self._numpy.array(values, dtype=dtype)

        return build

    def _moments(self, values: Values) -> Any:
        """Moments of a time zone are of UTC, so that those of several zones make one column; among them one without a
        zone is taken to be of UTC as well."""
        moments = [None if value is None else self._moment(value) for value in values]
        if any(moment is not None and moment.tzinfo is not None for moment in moments):
            return self._pandas.to_datetime(moments, utc=True)
        return self._pandas.to_datetime(moments)

    def _moment(self, value: Any) -> Any:
        # One by one: pandas expects all texts of a list to be written as the first one is.
        try:
            return self._pandas.Timestamp(value)
        except ValueError:
            return self._pandas.Timestamp(datetime.datetime.fromisoformat(value))

    def _objects(self, values: Values) -> Any:
        # pandas and scikit-learn know a missing text as NaN, which JSON cannot say.
        cells = [self._numpy.nan if value is None else value for value in values] if None in values else values
        array = self._numpy.empty(len(values), dtype=object)
        if list in map(type, cells):
            for index, cell in enumerate(cells):  # numpy would take lists of one length for a second axis
                array[index] = cell
        else:
            array[:] = cells
        return array
