"""Canonical JSON: the numbers and strings of RFC 8785, and what it refuses."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.core.canonical import canonical, digest, strict_loads

# Appendix B of RFC 8785: the bits of a double, and how it is written.
RFC_8785 = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "written"), RFC_8785.items())
def test_numbers_are_written_as_the_rfc_writes_them(bits: str, written: str) -> None:
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == written


def test_keys_and_texts_are_those_of_the_rfc() -> None:
    """Sections 3.2.2 and 3.2.3."""
    value = json.loads(
        r'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        r'"string":"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'
    )
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    names = {"\u20ac": 5, "\r": 1, "\ufb33": 7, "1": 2, "\U0001f600": 6, "\u0080": 3, "\u00f6": 4}
    assert list(json.loads(canonical(names))) == sorted(names, key=lambda name: names[name])


def test_identifiers_of_64_bits_keep_their_digits_and_a_number_has_one_form() -> None:
    assert canonical(2**63 + 1) == b"9223372036854775809"
    assert digest(2**53) != digest(2**53 + 1)
    assert canonical(1.0) == canonical(1) == b"1"
    # PostgreSQL gives back large doubles as whole numbers.
    for text in ("1e17", "1.152921504606847e18", "1e21", "1e23", "1.7e308"):
        assert canonical(float(text)) == canonical(int(Decimal(text)))


@settings(max_examples=40, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists))
def test_what_is_written_reads_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value), parse_int=float) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, {1: 2}, "\ud800", object()])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "[NaN]", "{", "[" * 100_000])
def test_documents_that_readers_could_read_differently_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict_loads(text)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node writes numbers as the RFC wants them")
def test_node_writes_the_same_numbers() -> None:
    powers = [
        sign * digits * 10.0**power
        for power in range(-320, 300, 3)
        for digits in (1, 1.5, 123456789.125)
        for sign in (1, -1)
    ]
    script = 'console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0))))'
    answer = subprocess.run(["node", "-e", script], input=json.dumps(powers).encode(), capture_output=True, check=True)
    assert canonical(powers) == answer.stdout.strip()
