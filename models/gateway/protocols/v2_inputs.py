"""Input tensors of the Open Inference Protocol, from JSON or bytes, as one (nested) value per row."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import mul
from typing import Any, NamedTuple

from models.gateway.protocols.bodies import bad, check_count
from models.gateway.protocols.datatypes import BYTES, FLOATS, NAMES, NUMERIC
from models.gateway.tensors import MAX_DIMENSIONS
from models.gateway.words import describe

REMEDY = (
    'Send {"inputs": [{"name": ..., "datatype": ..., "shape": [rows, ...], "data": [...]}, ...]}; '
    "the model's metadata names its inputs."
)


# Dimensions of 1 cost no element, but a list for each: they make much of a small body.
MAX_LISTS = 2_000_000


class Tensor(NamedTuple):
    """One input. `rows[i]` is the value of row i: nested lists without the batch axis. Elements of BYTES are bytes
    where they came as such, texts where they came in JSON."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    rows: list[Any]
    parameters: dict[str, Any]

    @property
    def lists(self) -> int:
        """How many lists its rows are made of."""
        return _lists(self.shape)


class RawBytes:
    """What follows the JSON of a request: tensors take their bytes from it in their order."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def take(self, name: str, count: Any) -> memoryview:
        """The next `count` bytes. Raises `BadBody`."""
        if type(count) is not int or count < 0:
            raise bad(f"binary_data_size of {name} is {describe(count)}.", "Send the number of its bytes.")
        if count > len(self._data):
            detail = f"{name} has a binary_data_size of {count}, but only {len(self._data)} bytes follow."
            raise bad(detail, "Send the bytes of all tensors after the JSON, in the order of the inputs.")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def finish(self) -> None:
        """Raises `BadBody` when bytes are left over."""
        if len(self._data):
            detail = f"{len(self._data)} bytes follow that belong to no tensor."
            raise bad(detail, "Name the bytes of each tensor in its parameter binary_data_size.")


def read_all(inputs: Sequence[Any], raw: RawBytes) -> list[Tensor]:
    """The elements of `inputs`. Raises `BadBody`."""
    tensors: list[Tensor] = []
    lists = 0
    for spec in inputs:
        tensors.append(read(spec, raw))
        lists += tensors[-1].lists
        if lists > MAX_LISTS:
            raise _too_nested(f"The inputs nest {lists} lists or more.")
    raw.finish()
    return tensors


def read(spec: Any, raw: RawBytes) -> Tensor:
    """One element of `inputs`. Raises `BadBody`."""
    if not isinstance(spec, dict):
        raise bad(f"An input is no object but {describe(spec)}.", REMEDY)
    name, datatype, parameters = spec.get("name"), spec.get("datatype"), spec.get("parameters") or {}
    if not isinstance(name, str) or not name:
        raise bad(f"The name of an input is {describe(name)}.", REMEDY)
    name = name[:200]
    if datatype not in NAMES:
        raise bad(f"The datatype of {name} is {describe(datatype)}.", f"Send one of {', '.join(NAMES)}.")
    if not isinstance(parameters, dict):
        raise bad(f"The parameters of {name} are no object but {describe(parameters)}.", REMEDY)
    shape = _shape(name, spec.get("shape"))
    if "binary_data_size" in parameters:
        if "data" in spec:
            raise bad(f"{name} has data and binary_data_size.", "Send the one or the other.")
        rows = _from_bytes(name, datatype, shape, raw.take(name, parameters["binary_data_size"]))
    else:
        rows = _from_json(name, datatype, shape, spec.get("data"))
    return Tensor(name, datatype, shape, rows, parameters)


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not 0 < len(shape) <= MAX_DIMENSIONS:
        raise bad(f"The shape of {name} is {describe(shape)}.", "Send a list such as [rows] or [rows, columns].")
    if not all(type(size) is int and 0 < size < 2**31 for size in shape):
        raise bad(f"The shape of {name} is {describe(shape)}.", "Send the sizes as whole numbers above nought.")
    check_count(shape[0])
    if _lists(shape) > MAX_LISTS:
        raise _too_nested(f"The shape of {name} nests {_lists(shape)} lists.")
    return tuple(shape)


def _lists(shape: Sequence[int]) -> int:
    return sum(accumulate(shape[:-1], mul))


def _too_nested(detail: str) -> Exception:
    return bad(detail, f"Send at most {MAX_LISTS} at once: fewer rows, or shapes without dimensions of 1.")


def _from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> list[Any]:
    if not isinstance(data, list) or not data:
        raise bad(f"The data of {name} is {describe(data)}.", "Send the elements as a list, or as bytes.")
    is_nested = len(shape) > 1 and type(data[0]) is list
    size = math.prod(shape)
    flat = list(_elements(name, data, shape, 0)) if is_nested else data
    if len(flat) != size:
        detail = f"{name} has {_count(len(flat))}, but its shape {list(shape)} has {size}."
        raise bad(detail, "Send as many elements as the shape says.")
    flat = _checked(name, datatype, flat)
    return _nested(flat, shape)


def _count(number: int) -> str:
    return "1 element" if number == 1 else f"{number} elements"


def _elements(name: str, data: list[Any], shape: Sequence[int], axis: int) -> Iterator[Any]:
    if len(data) != shape[axis]:
        detail = f"{name} has a list of {len(data)} in place of {shape[axis]} in dimension {axis}."
        raise bad(detail, f"Nest the data as the shape {list(shape)} says, or send it as one flat list.")
    if axis == len(shape) - 1:
        yield from data
        return
    for item in data:
        if type(item) is not list:
            detail = f"{name} has {describe(item)} in place of a list in dimension {axis}."
            raise bad(detail, f"Nest the data as the shape {list(shape)} says, or send it as one flat list.")
        yield from _elements(name, item, shape, axis + 1)


def _checked(name: str, datatype: str, flat: list[Any]) -> list[Any]:
    """The elements, each of the datatype or null for a missing value."""
    if datatype == "BOOL" and set(map(type, flat)) == {int} and set(flat) <= {0, 1}:
        return [element == 1 for element in flat]
    allowed: frozenset[type] = frozenset((str,)) if datatype == BYTES else NUMERIC[datatype].elements.types
    types = set(map(type, flat)) - {type(None)}
    if not types <= allowed:
        wrong = next(i for i, element in enumerate(flat) if element is not None and type(element) not in allowed)
        raise bad(f"Element {wrong} of {name} is {describe(flat[wrong])}, not {datatype}.", f"Send {datatype}.")
    limits = None if datatype == BYTES else NUMERIC[datatype].elements.limits
    if limits is not None and not all(e is None or limits[0] <= e <= limits[1] for e in flat):
        wrong = next(i for i, e in enumerate(flat) if e is not None and not limits[0] <= e <= limits[1])
        detail = f"Element {wrong} of {name} is {describe(flat[wrong])}, which {datatype} cannot hold."
        raise bad(detail, f"Send numbers from {limits[0]} to {limits[1]}, or another datatype.")
    return flat


def _from_bytes(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> list[Any]:
    size = math.prod(shape)
    if datatype == BYTES:
        return _nested(_byte_strings(name, size, data), shape)
    code, width, _ = NUMERIC[datatype]
    if len(data) != size * width:
        detail = f"{name} has {len(data)} bytes, but {size} elements of {datatype} have {size * width}."
        raise bad(detail, "Send the elements in row-major order, little-endian, without gaps.")
    flat: list[Any]
    if code == "e" or sys.byteorder != "little":
        flat = list(struct.unpack(f"<{size}{code}", data))
    else:
        flat = data.cast(code).tolist()  # type: ignore[call-overload]
    if datatype in FLOATS and not all(map(math.isfinite, flat)):
        flat = _without_nan(name, flat)
    return _nested(flat, shape)


def _without_nan(name: str, flat: list[float]) -> list[Any]:
    """Not a number is a missing value, as in a DataFrame."""
    for index, element in enumerate(flat):
        if math.isinf(element):
            raise bad(f"Element {index} of {name} is infinite, which no JSON can say.", "Send finite numbers.")
    return [None if math.isnan(element) else element for element in flat]


def _byte_strings(name: str, size: int, data: memoryview) -> list[bytes]:
    """Each string with its length before it, in 4 bytes."""
    found: list[bytes] = []
    at = 0
    while at < len(data) and len(found) <= size:
        end = at + 4
        length = int.from_bytes(data[at:end], "little")
        if end > len(data) or end + length > len(data):
            raise bad(f"String {len(found)} of {name} is cut off.", "Send 4 bytes of length before each string.")
        found.append(bytes(data[end : end + length]))
        at = end + length
    if len(found) != size or at < len(data):
        count = str(len(found)) if len(found) < size else f"more than {size}"
        raise bad(f"{name} holds {count} strings, but its shape has {size}.", "Send as many as the shape says.")
    return found


def _nested(flat: list[Any], shape: Sequence[int]) -> list[Any]:
    """The elements as nested lists of that shape."""
    nested = flat
    for size in reversed(shape[1:]):
        nested = [nested[start : start + size] for start in range(0, len(nested), size)]
    return nested
