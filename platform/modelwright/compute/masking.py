"""The forms in which a secret may stand in a log."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# Of shorter ones the encoded forms are too likely to be something else.
LEAST_ENCODED = 8
# Longer values are files, and nobody wraps a file's base64 into a log.
MOST_WRAPPED = 8 * 1024
# Bytes of a line of base64 as MIME (76 characters) and PEM (64) wrap it.
_WRAPPED = (57, 48)
_HEXADECIMAL = re.compile("%[0-9A-F]{2}")


def forms(values: Iterable[str]) -> tuple[str, ...]:
    """What to mask of the values: each as it is; from 8 characters on also its base64, url-quoted and escaped forms.

    Of a value of several lines each line of 8 characters or more counts by itself. The base64 forms are found inside a
    longer encoded text as well, such as `user:password`.
    """
    found: dict[str, None] = {}
    for value in values:
        for text in (value, value.strip()):
            found.update(dict.fromkeys(_forms(text)))
        lines = value.splitlines()
        if len(lines) > 1:
            for line in lines:
                if len(line.strip()) >= LEAST_ENCODED:
                    found.update(dict.fromkeys(_forms(line.strip())))
    found.pop("", None)
    return tuple(found)


def _forms(value: str) -> Iterator[str]:
    yield value
    if len(value) < LEAST_ENCODED:
        return
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield _HEXADECIMAL.sub(lambda match: match[0].lower(), quoted)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    for text in _encoded(value.encode()):
        yield text
        yield text.replace("+", "-").replace("/", "_")


def _encoded(data: bytes) -> Iterator[str]:
    whole = base64.b64encode(data).decode()
    yield whole
    yield whole.rstrip("=")
    for before in range(3):
        # Without the characters that hold bits of what stands before or after it.
        text = base64.b64encode(b"\0" * before + data).decode()
        yield text[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
    if len(data) <= MOST_WRAPPED:
        for size in _WRAPPED:
            for start in range(0, len(data) if len(data) > size else 0, size):
                line = data[start : start + size]
                if len(line) >= LEAST_ENCODED:
                    yield base64.b64encode(line).decode()
