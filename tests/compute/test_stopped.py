"""Processes that were stopped in the middle of something, and what the others go on with."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import Error, connection, transaction

from modelwright.compute import placement, rounds, transitions
from modelwright.compute.models import Host, Workload

from .support import fresh, queue

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_round_whose_process_was_stopped_holds_up_nobody_for_long(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "STOPPED_MILLISECONDS", 500)
    workload, run = queue(), rounds.Round.run
    is_stopped, may_go_on = threading.Event(), threading.Event()

    def stopped(self: rounds.Round) -> list[rounds.Placed]:
        if is_stopped.is_set():
            return run(self)
        placed = run(self)
        is_stopped.set()
        may_go_on.wait(120)
        return placed

    def place() -> bool:
        try:
            return placement.place(workload.pk) is not None
        finally:
            connection.close()

    monkeypatch.setattr(rounds.Round, "run", stopped)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(place)
        assert is_stopped.wait(60)
        try:
            assert pool.submit(place).result(60), "the next round does it"
        finally:
            may_go_on.set()
        with pytest.raises(Error):
            first.result(60)
    assert fresh(workload).state == "starting"


def test_a_workload_that_somebody_holds_keeps_its_host_from_no_sign_of_life(host: Host) -> None:
    held, other = queue(), queue()
    for workload in (held, other):
        placement.place(workload.pk)
    Workload.objects.update(lease_expires_at=None)
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Workload.objects.select_for_update().get(pk=held.pk)
            is_held.set()
            may_go.wait(60)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert is_held.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        try:
            assert transitions.renew_leases(host) == 1
        finally:
            may_go.set()
            connection.close()
        holding.result(60)
    assert fresh(other).lease_expires_at is not None
