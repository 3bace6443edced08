"""A host that no longer reaches the platform, and who may say so of another: by a clock that the test turns."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs.services.run_writes import GRACE_SECONDS
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import (
    cut_off,
    environment_results,
    placement,
    selectors,
    services,
    silence,
    transitions,
    watcher,
)
from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Host, JoinToken, Workload

from .backends_support import wait_until
from .support import ACTOR, fresh, make_host, queue, watch_until
from .test_watcher import key_of

pytestmark = pytest.mark.django_db(transaction=True)
SLEEP = "import time; time.sleep(600)"


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def running(host: Host, local: ProcessBackend, **changes: object) -> Workload:
    workload = queue(SLEEP, **changes)
    placement.place_and_start(workload.pk, local)
    watch_until(lambda: fresh(workload).state == "running", host, local)
    return fresh(workload)


def test_a_host_ends_what_may_run_elsewhere_before_that_can_begin() -> None:
    """The clocks of the two sides start at the same answer."""
    slack = selectors.HEARTBEAT_LIMIT.total_seconds() - cut_off.GIVE_UP_AFTER - GRACE_SECONDS
    assert slack > 2, "the tick that notices, and the end by force, must fit in"
    assert transitions.LEASE <= selectors.HEARTBEAT_LIMIT


def test_a_cut_off_host_ends_only_what_is_tried_again_elsewhere(host: Host, local: ProcessBackend) -> None:
    again, once = running(host, local, retryable=True, cpu=1.0), running(host, local, cpu=1.0)
    contact = cut_off.Contact(clock := Clock())
    clock.now += cut_off.GIVE_UP_AFTER - 1
    assert cut_off.end_when_cut_off(local, contact) == 0
    clock.now += 1
    # The database is away: nothing here may ask it.
    assert cut_off.end_when_cut_off(local, contact) == 1
    wait_until(lambda: local.status(key_of(again)).phase is Phase.ENDED, what="the end")  # type: ignore[union-attr]
    status = local.status(key_of(again))
    assert status is not None
    assert (status.cause, status.message) == (Cause.LOST, cut_off.MESSAGE)
    assert cut_off.end_when_cut_off(local, contact) == 0
    assert local.status(key_of(once)).phase is Phase.RUNNING  # type: ignore[union-attr]
    # The database is back before anybody else judged: the row ends as the host says.
    watch_until(lambda: fresh(again).state == "lost", host, local)
    assert fresh(once).state == "running"


def test_a_host_that_was_stopped_itself_asks_before_it_ends_anything(host: Host, local: ProcessBackend) -> None:
    again = running(host, local, retryable=True)
    contact = cut_off.Contact(clock := Clock())
    clock.now += 60  # The machine stood still, and the loop that looks comes before the one that asks.
    assert cut_off.end_when_cut_off(local, contact) == 0
    cut_off.in_contact(lambda: None, contact)
    clock.now += 1
    assert cut_off.end_when_cut_off(local, contact) == 0
    assert local.status(key_of(again)).phase is Phase.RUNNING  # type: ignore[union-attr]
    # Where nobody answers it then either, it is cut off, however slow the machine.
    clock.now += 60
    assert cut_off.end_when_cut_off(local, contact) == 0
    clock.now += cut_off.GAP + 1
    assert cut_off.end_when_cut_off(local, contact) == 1


def test_notes_go_with_what_they_are_about(host: Host, local: ProcessBackend, settings: object) -> None:
    again = running(host, local, retryable=True)
    folder = local.root.parent / "retryable"
    assert [note.name for note in folder.iterdir()] == [again.key_name]
    local.stop(key_of(again))
    watch_until(lambda: fresh(again).is_ended, host, local)
    watcher.tick(host, local)
    assert list(folder.iterdir()) == []


def test_a_note_of_what_was_placed_during_a_tick_stays(host: Host, local: ProcessBackend, settings: object) -> None:
    workload = queue(SLEEP, retryable=True)
    noted = cut_off.notes()
    placement.place_and_start(workload.pk, local)
    name = fresh(workload).key_name
    cut_off.keep_notes([], noted)
    assert name in cut_off.notes()
    cut_off.keep_notes([], cut_off.notes())
    assert name not in cut_off.notes()


def test_a_build_whose_host_was_stopped_is_repeated_and_one_that_a_person_ended_is_not(host: Host) -> None:
    for asked, again in ((False, True), (True, False)):
        build = services.request_environment(
            requirements=f"attrs=={int(asked)}\n", kind="requirements.txt", acting_user=ACTOR
        ).workload
        assert build is not None
        if asked:
            services.request_cancel(build, acting_user=ACTOR)
        else:
            end_workload(build.pk, None, cause=Cause.CANCELLED, facts={"detail": "The platform was stopped."})
        environment_results.collect()
        assert Workload.objects.filter(kind="environment", finished_at=None).exists() == again
        Workload.objects.filter(finished_at=None).update(finished_at=timezone.now(), state="failed")


def test_a_host_that_is_only_refused_ends_everything_and_leaves(host: Host, local: ProcessBackend) -> None:
    workload = running(host, local)
    contact = cut_off.Contact(clock := Clock())
    refusal = OperationalError('FATAL:  role "modelwright_host_a" is not permitted to log in')

    def refuse() -> None:
        raise refusal

    for _ in range(4):
        assert cut_off.end_when_cut_off(local, contact) == 0
        with pytest.raises(OperationalError):
            cut_off.in_contact(refuse, contact)
        clock.now += cut_off.GIVE_UP_AFTER / 4
    assert cut_off.end_when_cut_off(local, contact) == 1
    wait_until(lambda: local.status(key_of(workload)).phase is Phase.ENDED, what="the end")  # type: ignore[union-attr]
    mark = local.root.parent / "host-removed"
    assert not mark.exists()
    assert cut_off.end_when_cut_off(local, contact) == 0
    assert mark.exists()


def test_silence_after_refusals_is_no_removal() -> None:
    contact = cut_off.Contact(clock := Clock())
    contact.failed(OperationalError("password authentication failed"))
    clock.now += 40
    contact.failed(OperationalError("connection timed out"))
    assert contact.refused_for == 0
    contact.failed(OperationalError("password authentication failed"))
    assert contact.refused_for == 0


def test_who_was_out_of_touch_itself_judges_nobody_for_a_while(host: Host) -> None:
    away = make_host("away")
    Host.objects.filter(pk=away.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    contact = cut_off.Contact(clock := Clock())

    def judged() -> bool:
        silence.judge(contact)
        return Host.objects.get(pk=away.pk).state == "offline"

    for _ in range(int(cut_off.STEADY_AFTER)):
        assert not judged()
        clock.now += 1
    clock.now += 60  # the database was away for a minute
    for _ in range(int(cut_off.STEADY_AFTER)):
        assert not judged(), "the others need a moment to find their way back"
        clock.now += 1
    assert judged()
    assert Host.objects.get(pk=host.pk).state == "active"


def test_a_lost_workload_says_why_and_what_to_do(host: Host) -> None:
    away = make_host("away")
    workload = queue()
    transitions.place(workload, away, environment=None)
    transitions.begin_start(workload.pk, fresh(workload).fence or 0)
    past = timezone.now() - timedelta(minutes=5)
    Host.objects.filter(pk=away.pk).update(heartbeat_at=past)
    Workload.objects.update(lease_expires_at=past)
    silence.give_up_silent_hosts()
    assert "away has not been heard from for 45 seconds" in fresh(workload).detail
    assert "retries" in fresh(workload).detail


def test_a_removed_host_ends_what_runs_there_and_says_nothing_more(
    host: Host, local: ProcessBackend, admin: User
) -> None:
    workload = running(host, local)
    services.create_join_token(acting_user=Actor.person(admin))
    JoinToken.objects.update(host=host, used_at=timezone.now())
    services.remove_host(host, force=True, acting_user=Actor.person(admin))
    heard = Host.objects.get().heartbeat_at
    mark = local.root.parent / "host-removed"
    watch_until(mark.exists, Host.objects.get(), local)
    watcher.heartbeat()
    assert (Host.objects.get().state, Host.objects.get().heartbeat_at) == ("removed", heard)
    status = local.status(key_of(workload))
    assert status is not None
    assert status.phase is Phase.ENDED
    assert fresh(workload).state == "lost"


def test_a_drained_host_that_was_silent_comes_back_drained(admin: User) -> None:
    away = make_host("away")
    services.set_host_state(away, state="draining", acting_user=Actor.person(admin))
    assert transitions.host_state(away, to="offline")
    assert make_host("away").state == "draining"
    services.set_host_state(Host.objects.get(), state="active", acting_user=Actor.person(admin))
    assert transitions.host_state(away, to="offline")
    assert make_host("away").state == "active"


def test_a_build_that_went_with_its_host_is_repeated_for_whoever_waits(host: Host) -> None:
    away = make_host("away")
    request = services.request_environment(requirements="six\n", kind="requirements.txt", acting_user=ACTOR)
    waits = queue(environment_request=request)
    for attempt in range(environment_results.MOST_REPEATS + 1):
        request.refresh_from_db()
        build = request.workload
        assert build is not None
        assert (request.state, build.state) == ("building", "queued"), attempt
        assert transitions.place(build, away, environment=None)
        assert transitions.begin_start(build.pk, fresh(build).fence or 0)
        transitions.host_state(away, to="offline")
        assert end_workload(build.pk, fresh(build).fence, cause=Cause.LOST, facts={"detail": "Its host is gone."})
        environment_results.collect()
        environment_results.collect()
    request.refresh_from_db()
    assert (request.state, request.error) == ("failed", "Its host is gone.")
    assert Workload.objects.filter(kind="environment").count() == environment_results.MOST_REPEATS + 1
    assert not fresh(waits).is_ended or fresh(waits).state == "failed"
