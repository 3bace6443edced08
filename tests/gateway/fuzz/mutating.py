"""Inputs near those that are right: bytes are changed, or values inside of the JSON."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

WORDS = (
    *(b"null", b"true", b"-1", b"0", b"1e999", b"-0.0", b"NaN", b"Infinity", b"9223372036854775808", b'""', b"[]"),
    *(b"{}", b"[[[[", b'{"b64": 1}', b'"\\ud800"', b"\xff", b"\0", b"\r\n", b",", b"2147483648", b'"shape"', b"%00"),
    *(b"[" * 100, b'{"a":' * 100, b"A" * 300),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 127, 128, 2**31, -(2**63), 2**64 - 1, 0.5, -0.0, 1e300, 2.0**64, 3e38),
    *("", "a", "é" * 40, "\0", "1", "AA==", "{}", "2026-01-31", "BYTES", "FP16", "INT64", "UINT8", "BOOL"),
    *("long", "array", "double", [], [1], [1, 2], [[1, 2], [3, 4]], [[1], [1, 2]], [None, 1.5], ["a", "b"]),
    *({}, {"a": 1}, {"b64": "YQ=="}, {"b64": "?"}, {"binary_data_size": 4}, [[[[[]]]]], [0], [-1], [2**40], [1] * 33),
)


def near(seeds: Sequence[bytes], count: int, *, seed: int, has_length: bool = False) -> Iterator[bytes]:
    """The seeds, then `count` changes of them, always the same ones."""
    chance = random.Random(seed)
    yield from seeds
    for _ in range(count):
        yield changed(chance.choice(seeds), chance, has_length=has_length)


def changed(data: bytes, chance: random.Random, *, has_length: bool = False) -> bytes:
    """The data with a few changes. `has_length` says that two bytes before it are the length of the JSON that begins
    it."""
    length = struct.unpack("<H", data[:2])[0] if has_length and len(data) > 1 else len(data)
    head, rest = (data[2 : 2 + length], data[2 + length :]) if has_length else (data, b"")
    try:
        value = orjson.loads(head) if chance.random() < 0.7 else None
    except ValueError:
        value = None
    if not isinstance(value, (dict, list)):
        return _bytes_changed(data, chance)
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = _value_changed(value, chance)
    try:
        made = orjson.dumps(value)
    except TypeError:
        return data
    if not has_length:
        return made
    if chance.random() < 0.3:
        rest = _bytes_changed(rest, chance)
    return struct.pack("<H", len(made) % 65536) + made + rest


def _value_changed(value: Any, chance: random.Random) -> Any:
    """One node of it is replaced, removed, doubled or renamed."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.15:
        return chance.choice(VALUES)
    if isinstance(value, list):
        items = list(value)
        at = chance.randrange(len(items))
        kind = chance.randrange(8)
        if kind == 0:
            del items[at]
        elif kind == 1:
            items.insert(at, items[chance.randrange(len(items))])
        else:
            items[at] = _value_changed(items[at], chance)
        return items
    pairs = dict(value)
    name = chance.choice(list(pairs))
    kind = chance.randrange(8)
    if kind == 0:
        del pairs[name]
    elif kind == 1:
        pairs[chance.choice(("", "a", "x", "data", "index", "outputs", "params", name * 2))] = pairs.pop(name)
    elif kind == 2:
        pairs[name] = pairs[chance.choice(list(pairs))]
    else:
        pairs[name] = _value_changed(pairs[name], chance)
    return pairs


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(len(made) + 1)
        end = min(len(made), start + chance.choice((0, 1, 1, 4, 20)))
        kind = chance.randrange(5)
        if kind == 0:
            del made[start:end]
        elif kind == 1:
            made[start:end] = chance.choice(WORDS)
        elif kind == 2:
            made[start:end] = made[start:end] * 2
        elif kind == 3 and made:
            made[start % len(made)] = chance.randrange(256)
        else:
            other = chance.randrange(len(made) + 1)
            made[start:end] = made[other : other + 8]
    return bytes(made)
