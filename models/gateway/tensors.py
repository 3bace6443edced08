"""Tensors of a signature: nested lists of one shape and one kind of number, checked a row at a time.

What is right is found so by looks at whole levels: the set of their types and of their lengths, and the smallest and
largest element. So an image of 28×28 costs a few of them instead of 784.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from models.gateway.words import Mismatch, check_depth, describe

Shape = tuple[int, ...]  # -1 is free

MAX_DIMENSIONS = 32
MAX_SIZE = 2**31 - 1
_FLOAT32 = 3.4028234663852886e38
_FLOAT16 = 65504.0


class Elements(NamedTuple):
    """What the elements of a tensor may be."""

    expected: str
    types: frozenset[type]
    limits: tuple[float, float] | None = None
    whole: bool = False


def elements_of(dtype: str) -> Elements | None:
    """The elements of a numpy dtype; None for one that JSON has no certain form for, which accepts anything."""
    if dtype in _ELEMENTS:
        return _ELEMENTS[dtype]
    if dtype in ("object", "str", "string") or dtype[:2] in ("<U", ">U", "|S"):
        return _TEXTS
    return _MOMENTS if dtype.startswith("datetime64") else None


def row_shape(shape: Any) -> Shape:
    """The shape of one row of a tensor's `shape`, whose first axis is the batch. Raises `ValueError`."""
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("the shape of a tensor is no list of dimensions")
    if not all(type(size) is int and -1 <= size <= MAX_SIZE for size in shape):
        raise ValueError(f"a dimension of a tensor is no whole number up to {MAX_SIZE}")
    return tuple(shape[1:])


def shown(shape: Sequence[int]) -> str:
    """A shape for people, such as `28×28`."""
    return "×".join("any" if size == -1 else str(size) for size in shape)


def check_tensor(shape: Shape, dtype: str) -> Callable[[Any], Any]:
    """What checks a row of that shape: returns the value, with whole numbers as such where they were written like
    `3.0`, or raises `Mismatch`."""
    elements = elements_of(dtype)
    if not shape:
        return lambda value: _check_elements([value], elements, "")[0]

    is_free = -1 in shape

    def check(value: Any) -> Any:
        wanted = _settled(shape, value) if is_free else shape
        if elements is not None and elements is not _MOMENTS and _is_right(value, wanted, elements):
            return value
        return _check_axis(value, wanted, 0, elements, "")

    return check


def _is_right(value: Any, shape: Shape, elements: Elements) -> bool:
    """Whether it is plainly right: one look at each level as a whole. What is not is looked at with care, by
    `_check_axis`, which names the place."""
    if type(value) is not list or len(value) != shape[0]:
        return False
    level = value
    for size in shape[1:]:
        if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
            return False
        level = list(chain.from_iterable(level))
    if not level or not set(map(type, level)) <= elements.types:
        return False
    return elements.limits is None or (min(level) >= elements.limits[0] and max(level) <= elements.limits[1])


def _settled(shape: Shape, value: Any) -> Shape:
    """The shape with its free dimensions as large as the first lists are: they may differ between rows, but not
    inside of one."""
    sizes = []
    for size in shape:
        sizes.append(len(value) if size == -1 and type(value) is list else size)
        value = value[0] if type(value) is list and value else None
    return tuple(sizes)


def expectation(shape: Shape, dtype: str) -> str:
    """What a row should be, for people."""
    elements = elements_of(dtype)
    kind = elements.expected if elements is not None else "values"
    if not shape:
        return f"one of {kind}"
    return f"nested lists of shape {shown(shape)} of {kind}" if len(shape) > 1 else f"a list of {_some(shape[0])}{kind}"


def _some(size: int) -> str:
    return "" if size == -1 else f"{size} "


def _check_axis(value: Any, shape: Shape, axis: int, elements: Elements | None, where: str) -> Any:
    size = shape[axis]
    if type(value) is not list or (size != -1 and len(value) != size):
        raise Mismatch(_not_the_size(value, size, where))
    if axis == len(shape) - 1:
        return _check_elements(value, elements, where)
    following = axis + 1
    return [_check_axis(item, shape, following, elements, f"{where}[{i}]") for i, item in enumerate(value)]


def _check_elements(values: list[Any], elements: Elements | None, where: str) -> list[Any]:
    if elements is None:
        for value in values:
            check_depth(value)
        return values
    types = set(map(type, values))
    if not types <= elements.types:
        if elements.whole and types <= {int, float}:
            values = [_whole(value, f"{where}[{i}]" if where else "") for i, value in enumerate(values)]
        else:
            wrong = next(i for i, value in enumerate(values) if type(value) not in elements.types)
            raise Mismatch(_at(values[wrong], where, wrong))
    if elements.limits is not None and values:
        low, high = elements.limits
        if min(values) < low or max(values) > high:
            wrong = next(i for i, value in enumerate(values) if not low <= value <= high)
            raise Mismatch(_at(values[wrong], where, wrong))
    if elements is _MOMENTS:
        for index, value in enumerate(values):
            _check_moment(value, where, index)
    return values


def _whole(value: Any, where: str) -> Any:
    if type(value) is float:
        if not value.is_integer():
            raise Mismatch(f"{describe(value)}{f' at {where}' if where else ''}")
        # What is too large for any of the types stays as it was written, so that the message can say it.
        return int(value) if -(2**63) <= value < 2**64 else value
    return value


def _check_moment(value: Any, where: str, index: int) -> None:
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        raise Mismatch(_at(value, where, index)) from None


def _at(value: Any, where: str, index: int) -> str:
    return f"{describe(value)} at {where}[{index}]"


def _not_the_size(value: Any, size: int, where: str) -> str:
    place = f" at {where}" if where else ""
    if type(value) is list:
        return f"a list of {len(value)}{place} in place of {size}"
    return f"{describe(value)}{place} in place of a list"


def _whole_numbers(name: str, bits: int, *, signed: bool) -> Elements:
    limits = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Elements(f"whole numbers ({name})", frozenset((int,)), limits, whole=True)


_NUMBERS = frozenset((int, float))
_TEXTS = Elements("texts", frozenset((str,)))
_MOMENTS = Elements("dates or times in ISO 8601", frozenset((str,)))
_ELEMENTS = {
    **{f"int{bits}": _whole_numbers(f"int{bits}", bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": _whole_numbers(f"uint{bits}", bits, signed=False) for bits in (8, 16, 32, 64)},
    "float16": Elements("numbers (float16)", _NUMBERS, (-_FLOAT16, _FLOAT16)),
    "float32": Elements("numbers (float32)", _NUMBERS, (-_FLOAT32, _FLOAT32)),
    "float64": Elements("numbers (float64)", _NUMBERS),
    "bool": Elements("truth values (bool)", frozenset((bool,))),
}
