"""A deliverer that is killed again and again: nothing is lost, and nothing is out of order per key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from models.events import ordering
from models.events.models import Sink
from tests.events.conftest import Receiver
from tests.models_support import wait_for

KILLS = 3


def start() -> subprocess.Popen[bytes]:
    name = str(connection.settings_dict["NAME"])
    paths = os.pathsep.join((".", "platform", "platform/runtime"))
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen([sys.executable, "-m", "tests.events.deliverer", name], env=environment)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_or_out_of_order_where_the_deliverer_is_killed(
    make_sink: Callable[..., Sink], receiver: Receiver, predict: Callable[..., list[UUID]]
) -> None:
    sink = make_sink(families=["request", "answer"])
    Sink.objects.filter(pk=sink.pk).update(batch_limit=5)
    ids: list[UUID] = []
    victim: list[subprocess.Popen[bytes]] = []

    def answer(events: list[dict[str, Any]]) -> tuple[int, dict[str, str]]:
        # In the middle of a post: the sink has it, and whoever sent it never learns that.
        if len(victim) <= KILLS and len(receiver.bodies) % 3 == 2:
            victim[-1].send_signal(signal.SIGKILL)
        time.sleep(0.005)
        return 200, {}

    receiver.answer = answer
    try:
        for _ in range(KILLS + 1):
            ids += predict(60)
            victim.append(start())
            if len(victim) <= KILLS:
                assert victim[-1].wait(60) == -signal.SIGKILL
        wait_for(lambda: Sink.objects.get(pk=sink.pk).position == ordering.head().position, seconds=60)
    finally:
        for each in victim:
            each.kill()
            each.wait()
    wanted = [f"{id_.hex}.{part}" for id_ in ids for part in ("request", "answer")]
    # Leaving out what was seen before, as receivers do.
    assert list(dict.fromkeys(receiver.taken)) == wanted
    assert len(receiver.taken) > len(wanted)
