"""Bodies as Python's own writer of JSON makes them."""

from __future__ import annotations

import orjson
import pytest

from models.gateway.protocols.base import BadBody
from models.gateway.protocols.bodies import json_object

WHOLE = [0, -1, 2**53 + 1, 999_999_999_999_999_999, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40]


@pytest.mark.parametrize("number", WHOLE)
def test_a_whole_number_is_the_same_beside_a_nan(number: int) -> None:
    alone = orjson.loads(b'{"id": %d}' % number)["id"]
    beside = json_object(b'{"id": %d, "x": NaN}' % number, "")
    assert beside == {"id": alone, "x": None}
    assert type(beside["id"]) is type(alone)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" * 400, b"1" * 5000])
def test_a_number_out_of_range_is_refused_beside_a_nan(number: bytes) -> None:
    with pytest.raises(BadBody):
        json_object(b'{"id": %s, "x": NaN}' % number, "")
