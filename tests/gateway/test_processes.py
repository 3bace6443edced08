"""Several gateway processes behind one port, as one gateway."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from models.gateway.exposition import counters_only, merge
from models.gateway.spool import list_segments
from tests.gateway.load import Load
from tests.gateway.processes import RECORD, Gateway, endpoint, target, wait_for

StartGateway = Callable[..., Gateway]


def children(gateway: Gateway) -> list[psutil.Process]:
    return psutil.Process(gateway.popen.pid).children()


def total(gateway: Gateway, name: str) -> float:
    text = requests.get(gateway.url + "/metrics", timeout=30).text
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith((name + "{", name + " ")))


def ready_with(gateway: Gateway, processes: int) -> bool:
    try:
        state = requests.get(gateway.url + "/health/ready", timeout=2).json()
    except requests.RequestException:
        return False
    return bool(state["processes"] == processes)


@pytest.fixture
def pair(start_gateway: StartGateway) -> Iterator[Gateway]:
    """A gateway of two processes; none of them outlives the test."""
    gateway = start_gateway("--processes", "2")
    wait_for(lambda: ready_with(gateway, 2), what="both processes")
    started = children(gateway)
    yield gateway
    gateway.stop()
    psutil.wait_procs(started, timeout=30)


def test_counters_are_added_the_lowest_revision_and_the_spool_once() -> None:
    first = b'# TYPE a counter\na{b="c"} 1\n# TYPE modelwright_gateway_routes_revision gauge\n'
    first += b"modelwright_gateway_routes_revision 7\n# TYPE waiting gauge\nwaiting 2\n"
    second = first.replace(b"} 1", b'} 1234567890\na{b="d"} 0.5').replace(b"n 7", b"n 6")
    merged = merge([first, second]).decode().splitlines()
    assert merged == [
        "# TYPE a counter",
        'a{b="c"} 1234567891',
        'a{b="d"} 0.5',
        "# TYPE modelwright_gateway_routes_revision gauge",
        "modelwright_gateway_routes_revision 6",
        "# TYPE waiting gauge",
        "waiting 4",
    ]
    assert counters_only(first) == b'# TYPE a counter\na{b="c"} 1\n'
    assert merge([]) == b""


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_nothing_acknowledged_is_lost(
    pair: Gateway, replicas: dict[str, Path]
) -> None:
    pair.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
    with Load(pair, clients=16) as load:
        wait_for(lambda: len(load.answers) > 300)
        counted = total(pair, "modelwright_gateway_rows_total")
        victim = children(pair)[0]
        victim.kill()
        wait_for(lambda: ready_with(pair, 2) and victim.pid not in {child.pid for child in children(pair)})
        count = len(load.answers)
        wait_for(lambda: len(load.answers) > count + 300)
    assert load.refused == []
    recorded = Counter(record["id"] for record in pair.recorded())
    assert {answer.body["prediction_id"] for answer in load.answers} <= set(recorded)
    assert set(recorded.values()) == {1}
    assert {segment.gateway_id for segment in list_segments(pair.spool)} == {"g.0", "g.1"}
    # What the killed one counted in its last second is lost with it. The process that is asked knows of the other what
    # it told last, a second ago where the machine is not busy.
    wait_for(lambda: total(pair, "modelwright_gateway_requests_total") > len(load.answers) * 0.5)
    wait_for(lambda: total(pair, "modelwright_gateway_rows_total") > counted)
    assert total(pair, "modelwright_gateway_requests_total") <= len(load.answers) + len(load.broken)
    assert pair.stop() == 0


@pytest.mark.slow
def test_a_table_is_in_use_only_when_the_last_process_has_it(pair: Gateway, replicas: dict[str, Path]) -> None:
    first = pair.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
    hanging = children(pair)[1]
    hanging.send_signal(signal.SIGSTOP)
    seen: list[int] = []

    def ask() -> int:
        with contextlib.suppress(requests.RequestException):  # the one that hangs may be asked
            seen.append(requests.get(pair.url + "/health/ready", timeout=0.5).json()["revision"])
        return len(seen)

    try:
        second = pair.publish({"acme/wine": endpoint(2, target("wine", 2, replicas["two"]))}, wait=False)
        wait_for(lambda: ask() > 5)
        assert set(seen) == {first}
    finally:
        hanging.send_signal(signal.SIGCONT)
    wait_for(lambda: ask() and seen[-1] == second)
    assert {pair.predict(RECORD).json()["version"] for _ in range(10)} == {2}


@pytest.mark.slow
def test_processes_do_not_outlive_a_killed_supervisor_and_another_takes_the_port(
    pair: Gateway, start_gateway: StartGateway
) -> None:
    left = children(pair)
    siblings = Path(left[0].cmdline()[left[0].cmdline().index("--siblings") + 1])
    assert siblings.is_dir()
    pair.stop(signal.SIGKILL)
    again = start_gateway("--processes", "2", "--listen", f"127.0.0.1:{pair.port}")
    psutil.wait_procs(left, timeout=30)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    wait_for(lambda: ready_with(again, 2))
    assert again.port == pair.port
    assert not siblings.exists()
    assert again.stop() == 0


@pytest.mark.slow
def test_a_taken_address_is_said_and_not_shared(start_gateway: StartGateway, gateway: Gateway) -> None:
    with pytest.raises(AssertionError, match=r"ended with 4.*choose another address"):
        start_gateway("--processes", "2", "--listen", f"127.0.0.1:{gateway.port}")
