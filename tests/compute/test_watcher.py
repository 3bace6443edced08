"""From a queued row to its end, with real processes, real PostgreSQL, and the watcher alone doing the work."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from modelwright.audit.models import AuditEvent
from modelwright.compute import placement, selectors, services, silence, specs, transitions, watcher
from modelwright.compute.backends.base import Cause, Phase, WorkloadKey, WorkloadSpec
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Host, Workload

from .backends_support import is_alive, wait_until
from .support import ACTOR, fresh, make_host, queue, watch_to_end, watch_until

pytestmark = pytest.mark.django_db(transaction=True)


def started(host: Host, backend: ProcessBackend, text: str = "import time; time.sleep(600)") -> Workload:
    workload = queue(text)
    placement.place_and_start(workload.pk, backend)
    watch_until(lambda: fresh(workload).state == "running", host, backend)
    return fresh(workload)


def key_of(workload: Workload) -> WorkloadKey:
    assert workload.fence is not None
    return WorkloadKey(str(workload.pk), workload.fence)


@pytest.mark.parametrize(
    ("text", "state", "code", "detail"),
    [
        ("print('done')", "succeeded", 0, ""),
        ("raise SystemExit(3)", "failed", 3, "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "failed", None, "SIGKILL"),
        ("while True: pass", "timed_out", None, "1 seconds"),
        ("x = []\nwhile True: x.append(b'x' * 1_000_000)", "out_of_memory", None, "0.12 GiB"),
    ],
)
def test_a_workload_ends_in_the_state_that_names_its_cause(
    host: Host, local: ProcessBackend, text: str, state: str, code: int | None, detail: str
) -> None:
    workload = queue(text, timeout_seconds=1 if state == "timed_out" else 60, memory_bytes=128 * 1024**2)
    placement.place_and_start(workload.pk, local)
    ended = watch_to_end(workload, host, local)
    assert (ended.state, ended.exit_code) == (state, code)
    assert detail in ended.detail
    assert ended.started_at is not None
    assert ended.finished_at is not None
    event = AuditEvent.objects.get(action="workload.ended", target_id=str(workload.pk))
    assert event.after is not None
    assert event.after["state"] == state


@pytest.mark.parametrize("trouble", ["nobody answers", "no broker"])
def test_the_watcher_does_what_a_lost_message_would_have_done(
    host: Host, local: ProcessBackend, trouble: str, request: pytest.FixtureRequest
) -> None:
    if trouble == "no broker":
        request.getfixturevalue("no_broker")
    workload = queue("print('ran')")
    assert fresh(workload).state == "queued"
    ended = watch_to_end(workload, host, local)
    assert ended.state == "succeeded"
    assert selectors.read_log(ended)[0] == "ran\n"


def test_what_was_begun_and_never_started_is_started_by_the_watcher(host: Host, local: ProcessBackend) -> None:
    workload = queue("print('ran')")
    placement.place(workload.pk)
    assert fresh(workload).state == "starting"
    watcher.tick(host, local)
    assert local.list() == [], "within the grace the starter may still be at it"
    Workload.objects.filter(pk=workload.pk).update(placed_at=timezone.now() - timedelta(seconds=30))
    assert watch_to_end(workload, host, local).state == "succeeded"


def test_what_is_started_between_the_two_looks_is_left_alone(host: Host, local: ProcessBackend) -> None:
    workload = queue("import time; time.sleep(600)")

    class StartsMeanwhile(ProcessBackend):
        def list(self):  # type: ignore[no-untyped-def]
            if fresh(workload).state == "queued":
                placement.place_and_start(workload.pk, local)
                wait_until(lambda: local.list(), what="the start")
            return super().list()

    watcher.tick(host, StartsMeanwhile(local.root))
    status = local.status(key_of(fresh(workload)))
    assert status is not None
    assert status.phase is not Phase.ENDED
    watch_until(lambda: fresh(workload).state == "running", host, local)


def test_a_running_workload_is_adopted_by_a_new_watcher(host: Host, local: ProcessBackend) -> None:
    workload = started(host, local)
    lease = fresh(workload).lease_expires_at
    another = ProcessBackend(local.root)
    watcher.tick(host, another)
    adopted = fresh(workload)
    assert adopted.state == "running"
    assert lease is not None
    assert adopted.lease_expires_at is not None
    assert adopted.lease_expires_at > lease


def test_a_killed_supervisor_makes_the_workload_lost(host: Host, local: ProcessBackend) -> None:
    workload = started(host, local)
    status = json.loads((local.folder(key_of(workload)) / "status.json").read_text())
    os.kill(status["shim_pid"], signal.SIGKILL)
    ended = watch_to_end(workload, host, local)
    assert ended.state == "lost"
    assert "left no record" in ended.detail
    wait_until(lambda: not is_alive(status["child_pid"]), what="the end of its process")


def test_a_process_without_a_row_is_stopped_and_its_folder_removed(host: Host, local: ProcessBackend) -> None:
    key = WorkloadKey("01890000-0000-7000-8000-000000000000", 1)
    local.start(WorkloadSpec(key, ["/bin/sleep", "600"]))
    watch_until(lambda: not local.folder(key).exists(), host, local)


def test_a_process_with_an_old_fence_is_stopped(host: Host, local: ProcessBackend) -> None:
    workload = started(host, local)
    old = key_of(workload)
    Workload.objects.filter(pk=workload.pk).update(fence=transitions.next_fence(), state="lost")
    watch_until(lambda: not local.folder(old).exists(), host, local)


def test_cancel_while_running_ends_it_and_names_who(host: Host, local: ProcessBackend) -> None:
    workload = started(host, local)
    services.request_cancel(workload, acting_user=ACTOR)
    services.request_cancel(workload, acting_user=ACTOR)
    ended = watch_to_end(workload, host, local)
    assert (ended.state, ended.detail) == ("cancelled", "Cancelled by tests.")
    assert AuditEvent.objects.filter(action="workload.cancel-requested", target_id=str(workload.pk)).count() == 1


def test_cancel_between_placement_and_start_keeps_it_from_starting(
    host: Host, local: ProcessBackend, tmp_path: Path
) -> None:
    workload = queue(f"open({str(tmp_path / 'ran')!r}, 'w')")
    placement.place(workload.pk)
    services.request_cancel(fresh(workload), acting_user=ACTOR)
    watcher.tick(host, local)
    placement.start(fresh(workload), local)
    assert watch_to_end(workload, host, local).state == "cancelled"
    assert not (tmp_path / "ran").exists()


def test_a_silent_host_loses_what_ran_and_gives_back_what_did_not(host: Host, local: ProcessBackend) -> None:
    away = make_host("away")
    running, waiting = queue(cpu=3), queue()
    for workload in (running, waiting):
        assert transitions.place(workload, away, environment=None)
    assert transitions.begin_start(running.pk, fresh(running).fence or 0)
    past = timezone.now() - timedelta(minutes=5)
    Host.objects.filter(pk=away.pk).update(heartbeat_at=past)
    Workload.objects.filter(host=away).update(lease_expires_at=past)
    silence.give_up_silent_hosts()
    away.refresh_from_db()
    assert away.state == "offline"
    assert fresh(running).state == "lost"
    assert "away" in fresh(running).detail
    assert (fresh(waiting).state, fresh(waiting).fence) == ("queued", None)


def silent_host(*workloads: Workload) -> Host:
    """A host that has not been heard from for long, on which the start of the workloads has begun."""
    away = make_host("away")
    for workload in workloads:
        assert transitions.place(workload, away, environment=None)
        assert transitions.begin_start(workload.pk, fresh(workload).fence or 0)
    past = timezone.now() - timedelta(minutes=5)
    Host.objects.filter(pk=away.pk).update(heartbeat_at=past)
    Workload.objects.filter(host=away).update(lease_expires_at=past)
    return away


def test_a_host_that_speaks_up_while_it_is_judged_is_not_gone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = queue()
    away = silent_host(workload)
    look = selectors.silent_hosts

    def slow_look() -> QuerySet[Host]:
        found = look()
        if found:  # Evaluated, as it is before the host is judged.
            make_host("away")
        return found

    monkeypatch.setattr(silence, "silent_hosts", slow_look)
    silence.give_up_silent_hosts()
    assert Host.objects.get(pk=away.pk).state == "active"
    assert fresh(workload).state == "starting"


def test_a_host_that_comes_back_keeps_what_was_not_given_up_yet(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = queue(), queue()
    silent_host(first, second)
    end = end_workload

    def slow_end(*arguments: Any, **facts: Any) -> bool:
        ended = end(*arguments, **facts)
        transitions.renew_leases(make_host("away"))
        return ended

    monkeypatch.setattr(silence, "end_workload", slow_end)
    silence.give_up_silent_hosts()
    assert sorted([fresh(first).state, fresh(second).state]) == ["lost", "starting"]


def test_a_host_that_comes_back_is_active_again(host: Host) -> None:
    transitions.host_state(host, to="offline")
    assert make_host().state == "active"


def test_ended_workloads_wait_for_their_collector_and_lose_their_folder_then(host: Host, local: ProcessBackend) -> None:
    workload = queue("open('out.txt', 'w').write('x'); print('kept')")
    placement.place_and_start(workload.pk, local)
    ended = watch_to_end(workload, host, local)
    assert list(selectors.uncollected("run")) == [ended]
    assert list(selectors.uncollected("replica")) == []
    watcher.tick(host, local)
    assert (local.work_folder(key_of(ended)) / "out.txt").read_text() == "x"
    assert services.mark_collected(ended)
    assert not services.mark_collected(ended)
    assert list(selectors.uncollected("run")) == []
    watcher.tick(host, local)
    assert not local.work_folder(key_of(ended)).exists()
    assert selectors.read_log(ended) == ("kept\n", 5, True)


def test_secrets_reach_the_process_are_encrypted_in_the_row_and_forgotten(host: Host, local: ProcessBackend) -> None:
    workload = queue(
        "import os\n"
        "print(os.environ['TOKEN'][::-1] == 'eulav-}krow{', 'DATABASE_URL' in os.environ, os.environ['PLACE'])",
        secret_variables={"TOKEN": "{work}-value"},
        variables={"PLACE": "{workload}"},
    )
    row = fresh(workload)
    assert "{work}-value" not in f"{row.secrets} {row.spec}"
    assert row.secrets
    placement.place_and_start(workload.pk, local)
    ended = watch_to_end(workload, host, local)
    assert selectors.read_log(ended)[0] == f"True False {ended.key_name}\n"
    assert ended.secrets == ""


def test_the_runtime_is_importable_and_threads_follow_the_size(host: Host, local: ProcessBackend) -> None:
    workload = queue("import os, modelwright_runtime; print(os.environ['OMP_NUM_THREADS'], os.getcwd())", cpu=2.0)
    placement.place_and_start(workload.pk, local)
    ended = watch_to_end(workload, host, local)
    assert ended.state == "succeeded", selectors.read_log(ended)
    assert selectors.read_log(ended)[0] == f"2 {local.work_folder(key_of(ended))}\n"


def test_an_archive_that_is_not_there_fails_the_workload_with_its_name(host: Host, local: ProcessBackend) -> None:
    workload = queue(source={"archive": "f" * 64})
    placement.place_and_start(workload.pk, local)
    assert fresh(workload).state == "failed"
    assert "ffffffffffff" in fresh(workload).detail


def test_one_workload_in_trouble_does_not_keep_the_others_waiting(host: Host, local: ProcessBackend) -> None:
    broken, good = queue(secret_variables={"A": "b"}), queue()
    Workload.objects.filter(pk=broken.pk).update(secrets="not encrypted with our key")
    assert watch_to_end(good, host, local).state == "succeeded"
    assert watch_to_end(broken, host, local).state == "failed"
    assert "secret key" in fresh(broken).detail


def test_the_log_is_read_in_pieces_and_no_character_is_cut(host: Host, local: ProcessBackend) -> None:
    workload = started(host, local, "import time; print('é' * 100_000, flush=True); time.sleep(600)")
    wait_until(lambda: local.log_path(key_of(workload)).stat().st_size == 200_001, what="the log")
    first, offset, finished = selectors.read_log(workload)
    assert not finished
    second, offset, finished = selectors.read_log(workload, offset)
    assert first + second == "é" * 100_000 + "\n"
    assert offset == 200_001
    assert selectors.read_log(workload, offset) == ("", offset, False)
    assert selectors.log_tail(workload, 1) != ""


def test_a_spec_needs_a_placement(host: Host) -> None:
    with pytest.raises(ValueError, match="no placement"):
        specs.make_spec(queue())


def test_ending_twice_changes_nothing(host: Host, local: ProcessBackend) -> None:
    from modelwright.compute.ending import end_workload

    workload = queue()
    assert end_workload(workload.pk, None, cause=Cause.CANCELLED, facts={})
    assert not end_workload(workload.pk, None, cause=Cause.FAILED, facts={})
    assert fresh(workload).state == "cancelled"
