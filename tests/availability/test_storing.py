"""Counts of gateways on their way from the spool: each once, in whatever order and however often they come."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from models.availability.models import AvailabilityMinute
from models.availability.storing import store
from models.gateway.spool import encode_record, segment_path
from models.predictions.shipping import ship_once

pytestmark = pytest.mark.django_db
MINUTE = 1_800_000_000
ENDPOINT = str(uuid4())


def record(source: str = "g-1", *, minute: int = MINUTE, answered: int = 0, refused: int = 0, failed: int = 0) -> Any:
    return {
        "kind": "availability",
        "id": str(uuid4()),
        "at": minute + 1.5,
        "endpoint_id": ENDPOINT,
        "source": source,
        "minute": minute,
        "answered": answered,
        "refused": refused,
        "failed": failed,
    }


def counted() -> list[tuple[str, int, int, int]]:
    found = AvailabilityMinute.objects.order_by("minute", "source")
    return list(found.values_list("source", "answered", "refused", "failed"))


def test_a_minute_stands_as_it_was_told_last_in_whatever_order_that_comes() -> None:
    told = [record(answered=n, failed=n // 3) for n in range(1, 10)]
    told += [record("g-2", answered=5), record(minute=MINUTE + 60, refused=1)]
    for seed in range(3):
        mixed = told * 2
        random.Random(seed).shuffle(mixed)
        for begin in range(0, len(mixed), 5):
            store(mixed[begin : begin + 5])
        assert counted() == [("g-1", 9, 0, 3), ("g-2", 5, 0, 0), ("g-1", 0, 1, 0)]


@pytest.mark.django_db(transaction=True)
def test_the_shipper_stores_what_can_be_stored_and_sets_the_rest_aside(tmp_path: Path) -> None:
    wrong = [{**record(), "minute": MINUTE + 1}, {**record(), "answered": -1}, {**record(), "source": "a\0b"}]
    path = segment_path(tmp_path, "g", 1)
    path.write_bytes(b"".join(encode_record(each) for each in (record(answered=1), *wrong, record(answered=2))))
    while ship_once(tmp_path):
        pass
    assert counted() == [("g-1", 2, 0, 0)]
    assert path.with_name(f"{path.name}.unstorable").exists()
    assert not path.exists()
