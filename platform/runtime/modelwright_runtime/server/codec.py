"""JSON for frames: orjson where the model's environment has it, the standard library otherwise."""

from __future__ import annotations

import datetime
import importlib.util
import json
import math
from typing import Any

HAVE_ORJSON = importlib.util.find_spec("orjson") is not None
if HAVE_ORJSON:
    import orjson


def decode(payload: bytes) -> Any:
    """The value that the JSON bytes hold. Raises `ValueError` when they hold none."""
    return orjson.loads(payload) if HAVE_ORJSON else json.loads(payload)


def encode(value: Any) -> bytes:
    """JSON bytes; a number that is not finite becomes null. Raises `TypeError` for what JSON cannot say."""
    if HAVE_ORJSON:
        return orjson.dumps(value, default=plain, option=orjson.OPT_NON_STR_KEYS)
    try:
        return json.dumps(value, default=plain, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        return json.dumps(_finite(value), default=plain, allow_nan=False, separators=(",", ":")).encode()


def plain(value: Any) -> Any:
    """A numpy or pandas scalar or array, a date or bytes, as something JSON can say. Raises `TypeError` otherwise."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    for name in ("tolist", "item"):
        convert = getattr(value, name, None)
        if callable(convert):
            return _finite(convert())
    raise TypeError(f"a prediction of type {type(value).__name__} cannot be written as JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
