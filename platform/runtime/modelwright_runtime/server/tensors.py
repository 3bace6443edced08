"""From rows of nested lists to the arrays that a model with tensor inputs was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .results import as_list


class Tensor(NamedTuple):
    """One tensor of the signature. `shape` is without the batch axis and -1 is free; `name` is empty for the only
    input of a model that names none."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class TensorBuilder:
    """Builds one array of the signature's dtype, or a dict of arrays where the signature names them."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        import numpy

        self._numpy = numpy
        self._tensors = {tensor.name: tensor for tensor in tensors}

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        """Arrays whose first axis counts the rows. Raises `ValueError` for a value of another shape or kind."""
        arrays = {}
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            tensor = self._tensors.get(name)
            if tensor is None:
                known = ", ".join(repr(known) for known in self._tensors)
                raise ValueError(f"the model has no input {name!r}; its inputs are {known}")
            arrays[name] = self._array(tensor, values)
        missing = [name for name in self._tensors if name not in arrays]
        if missing:
            raise ValueError(f"the input {missing[0]!r} is missing")
        return arrays[""] if list(self._tensors) == [""] else arrays

    def _array(self, tensor: Tensor, values: Sequence[Any]) -> Any:
        numpy, dtype = self._numpy, self._numpy.dtype(tensor.dtype)
        label = f"the input {tensor.name!r}" if tensor.name else "the input"
        try:
            array = numpy.array(values)
        except ValueError:
            raise ValueError(f"{label} has values of different shapes; each must be {_told(tensor)}") from None
        if array.dtype.kind == "O":  # None among numbers is not a number; whole numbers have no such value
            array = numpy.array(values, dtype=dtype if dtype.kind == "f" else object)
        if not _fits(array.dtype.kind, dtype.kind):
            raise ValueError(f"{label} holds {array.dtype.name} where the model takes {dtype.name}")
        shape = array.shape[1:]
        if len(shape) != len(tensor.shape) or any(
            want not in (-1, got) for want, got in zip(tensor.shape, shape, strict=True)
        ):
            raise ValueError(f"{label} has the shape {list(shape)}; each value must be {_told(tensor)}")
        if array.dtype == dtype:
            return array
        if dtype.kind in "OUS":
            return array.astype(object)
        converted = array.astype(dtype)
        if dtype.kind in "iu" and (converted != array).any():
            raise ValueError(f"{label} holds numbers that {dtype.name} cannot hold")
        return converted


# Kinds of numpy dtypes: boolean, signed and unsigned whole, floating, text, object.
_TAKES = {"b": "b", "i": "iu", "u": "iu", "f": "fiu", "O": "OUbiuf", "U": "U", "S": "U"}


def _fits(given: str, wanted: str) -> bool:
    return given in _TAKES.get(wanted, "")


def _told(tensor: Tensor) -> str:
    shape = ", ".join("any" if size == -1 else str(size) for size in tensor.shape)
    return f"nested lists of the shape [{shape}]" if tensor.shape else "a single value"


class FixedBatch:
    """Calls a function that takes exactly `size` rows at a time with any number of them, by repeating the last row."""

    def __init__(self, function: Any, size: int) -> None:
        import numpy

        self._numpy = numpy
        self._function = function
        self._size = size

    def __call__(self, data: Any) -> Any:
        """What the function returns for all rows: an array, a dict or tuple of them, or a list of rows."""
        rows = len(next(iter(data.values())) if isinstance(data, dict) else data)
        parts = [self._function(self._part(data, start)) for start in range(0, rows, self._size)]
        return self._joined(parts, rows)

    def _part(self, data: Any, start: int) -> Any:
        if isinstance(data, dict):
            return {name: self._part(array, start) for name, array in data.items()}
        part = data[start : start + self._size]
        lacking = self._size - len(part)
        return self._numpy.concatenate([part, part[-1:].repeat(lacking, axis=0)]) if lacking else part

    def _joined(self, parts: list[Any], rows: int) -> Any:
        first = parts[0]
        if isinstance(first, dict):
            return {name: self._joined([part[name] for part in parts], rows) for name in first}
        if isinstance(first, tuple):
            return tuple(self._joined(list(each), rows) for each in zip(*parts, strict=True))
        if hasattr(first, "columns") or not getattr(first, "ndim", 0):
            return [value for part in parts for value in as_list(part, self._size)][:rows]
        return self._numpy.concatenate(parts)[:rows]
