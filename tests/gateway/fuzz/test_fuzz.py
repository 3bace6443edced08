"""A short run over every target of the fuzzer."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.fuzz.mutating import changed, near
from tests.gateway.fuzz.targets import SEEDS, TARGETS, reads

RUNS = 250


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_is_nearly_right_makes_a_parser_fail(name: str) -> None:
    for data in near(SEEDS[name], RUNS, seed=zlib.crc32(name.encode()), has_length=name == "v2_bytes"):
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name} fails at {data!r}") from error


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=200), seed=st.integers(0, 2**32))
@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_make_a_parser_fail(name: str, data: bytes, seed: int) -> None:
    chance = random.Random(seed)
    TARGETS[name](data)
    TARGETS[name](changed(chance.choice(SEEDS[name]), chance, has_length=name == "v2_bytes"))


@pytest.mark.parametrize("protocol", ["own", "mlflow", "v2", "tensorflow"])
def test_what_it_begins_with_is_right(protocol: str) -> None:
    assert all(reads(protocol, seed) for seed in SEEDS[protocol])
