"""JSON in the one form that a digest or a signature is made over: RFC 8785 (JCS), without Django.

One thing is not as there: a whole number keeps all its digits up to 21 of them, where RFC 8785 rounds it to a double
beyond 2**53. So two identifiers of 64 bits never have the same digest. Numbers that a double holds are written alike.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

_LONGEST_WHOLE = 10**21


def canonical(value: Any) -> bytes:
    """The bytes. Raises ValueError for what JSON cannot say: a number that is not finite, half of a surrogate pair."""
    try:
        return _text(value).encode()
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def digest(value: Any) -> str:
    """The SHA-256 of the canonical form, in hex. Raises ValueError as `canonical` does."""
    return hashlib.sha256(canonical(value)).hexdigest()


def strict_loads(text: str | bytes) -> Any:
    """The value of a JSON document. Raises ValueError where readers could differ: a key twice in an object, NaN."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value) if abs(value) < _LONGEST_WHOLE else _number(_double(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("a key of an object is no text")
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return f"{{{','.join(f'{_text(name)}:{_text(value[name])}' for name in names)}}}"
    raise ValueError(f"{type(value).__name__} is no type of JSON")


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is too large for a double") from None


def _number(value: float) -> str:
    """As ECMAScript writes a number: the shortest digits that give the double again, an exponent only far from 1."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)  # The value is 0.<digits> times ten to this power.
    return ("-" if value < 0 else "") + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
