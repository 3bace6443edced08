"""Rows of the platform that become containers: placed, started through a keeper, watched to their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as present
from django.utils import timezone
from pytest_django import Settings

from modelwright.compute import layout, placement, selectors, services, watcher
from modelwright.compute.backends.base import UnavailableError
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.models import Host, Workload

from .kinds import KeeperKind
from .support import ACTOR, fresh, queue, watch_to_end, watch_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kind(data: Path, settings: Settings) -> Iterator[KeeperKind]:
    """A keeper of this host's data directory."""
    settings.BACKEND = "docker"
    made = KeeperKind("keeper", data, "--readable", str(present.MODELWRIGHT_RUNTIME_SOURCE))
    yield made
    made.close()


@pytest.fixture
def backend(kind: KeeperKind) -> LocalBackend:
    return kind.again()


@pytest.mark.parametrize(
    ("text", "state", "code", "detail"),
    [
        ("import modelwright_runtime; print('done')", "succeeded", 0, ""),
        ("raise SystemExit(3)", "failed", 3, "exit code 3"),
        ("while True: pass", "timed_out", None, "1 seconds"),
        ("x = []\nwhile True: x.append(b'x' * 1_000_000)", "out_of_memory", None, "0.12 GiB"),
    ],
)
def test_a_row_ends_in_the_state_that_names_its_cause(
    host: Host, backend: LocalBackend, text: str, state: str, code: int | None, detail: str
) -> None:
    workload = queue(text, timeout_seconds=1 if state == "timed_out" else 60, memory_bytes=128 * 1024**2)
    placement.place_and_start(workload.pk, backend)
    ended = watch_to_end(workload, host, backend)
    assert (ended.state, ended.exit_code) == (state, code), selectors.read_log(ended)
    assert detail in ended.detail


def test_secrets_and_the_log_come_through(host: Host, backend: LocalBackend) -> None:
    workload = queue(
        "import os; print(os.environ['TOKEN'] == 'hidden-value')", secret_variables={"TOKEN": "hidden-value"}
    )
    placement.place_and_start(workload.pk, backend)
    assert selectors.read_log(watch_to_end(workload, host, backend))[0] == "True\n"


def test_cancel_ends_the_container_and_names_who(host: Host, kind: KeeperKind, backend: LocalBackend) -> None:
    workload = queue("import time; time.sleep(600)")
    placement.place_and_start(workload.pk, backend)
    watch_until(lambda: fresh(workload).state == "running", host, backend)
    services.request_cancel(workload, acting_user=ACTOR)
    ended = watch_to_end(workload, host, backend)
    assert (ended.state, ended.detail) == ("cancelled", "Cancelled by tests.")
    watch_until(lambda: not kind.names(), host, backend)


def test_a_keeper_that_is_away_makes_nothing_fail(host: Host, kind: KeeperKind, backend: LocalBackend) -> None:
    kind.kill_keeper()
    workload = queue("print('ran')")
    placement.place_and_start(workload.pk, backend)
    assert fresh(workload).state == "starting"
    assert "keeper of this host's containers does not answer" in fresh(workload).waiting_reason
    with pytest.raises(UnavailableError):
        watcher.tick(host, backend)
    kind.start_keeper()
    Workload.objects.filter(pk=workload.pk).update(placed_at=timezone.now() - timedelta(seconds=30))
    ended = watch_to_end(workload, host, backend)
    assert (ended.state, ended.waiting_reason, selectors.read_log(ended)[0]) == ("succeeded", "", "ran\n")


@pytest.mark.parametrize(
    ("backend_name", "outside", "inside"),
    [
        ("process", "http://10.0.0.5:8000", "http://10.0.0.5:8000"),
        ("docker", "http://10.0.0.5:8000", "http://127.0.0.1:8000"),
        ("docker", "https://platform.example", "https://platform.example"),
        ("docker", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_workloads_are_told_an_address_that_they_can_reach(
    settings: Settings, backend_name: str, outside: str, inside: str
) -> None:
    settings.BACKEND, settings.WEB_URL = backend_name, outside
    assert layout.web_url() == inside
