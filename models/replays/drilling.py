"""Follows drills: what is due begins, replicas that answer are asked, and what is over is taken away.

A tick may be cut off at any point and repeated: a drill whose asking was cut off is asked again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from jobs.schedules import next_times
from models.endpoints import replicas, smoking
from models.endpoints.models import Replica
from models.registry.models import ModelVersion
from models.replays import drill_services, transitions
from models.replays.golden import Golden, difference, golden_requests
from models.replays.models import Drill, DrillPolicy
from models.replays.policies import drill_policy
from models.replays.states import DRILL_UNDER_WAY
from modelwright.accounts.actors import Actor
from modelwright.core.errors import PlatformError
from modelwright.core.trouble import comes_again

logger = logging.getLogger(__name__)

INSTRUCTOR = Actor.system("rollback drill")
# A time that was missed by more than this, because the platform did not run, is passed over.
LATEST = timedelta(hours=6)
# So long it may wait for a place: whoever rolls back waits no longer.
QUEUE_LIMIT = timedelta(minutes=15)
ASKING_SECONDS = 60.0
MOST_EXAMPLES = 5


def tick() -> None:
    """Begin what is due, take each drill a step further, and leave no replica behind."""
    due = DrillPolicy.objects.filter(next_at__lte=timezone.now())
    for policy in due.select_related("endpoint__project__workspace", "endpoint__workspace"):
        _contained(f"drilling {policy.endpoint_id} by schedule", partial(begin_due, policy))
    under_way = Drill.objects.filter(state__in=DRILL_UNDER_WAY).select_related(
        "endpoint__workspace", "model_version__model", "replica__workload__host", "replica__model_version__model"
    )
    _follow(list(under_way))
    _sweep()


def _follow(drills: list[Drill]) -> None:
    """Ask those that are ready one after another. All are looked at before each, so that none is timed by when the
    others were asked."""
    while drills:
        for drill in drills:
            _contained(f"drill {drill.pk}", partial(step, drill))
        ready = [drill for drill in drills if drill.state == "asking"]
        if ready:
            _contained(f"asking drill {ready[0].pk}", partial(_ask, ready[0]))
        drills = [drill for drill in drills if drill.is_under_way and drill is not ready[0]] if ready else []


def _contained(what: str, act: Callable[[], None]) -> None:
    """One endpoint's trouble must not keep the others from being looked after."""
    try:
        act()
    except Exception as error:
        if not comes_again(error):
            raise
        logger.exception(what)


@transaction.atomic
def begin_due(policy: DrillPolicy) -> None:
    """Claim the due time by a conditional UPDATE and begin the drills in the same transaction."""
    due, now = policy.next_at, timezone.now()
    if due is None:
        return
    try:
        following = next_times(policy.schedule, after=now)[0] if policy.schedule else None
    except PlatformError:
        following = None
    if not DrillPolicy.objects.filter(pk=policy.pk, next_at=due).update(next_at=following):
        return
    note = f"It was due at {due:%Y-%m-%d %H:%M} UTC, when the platform did not run." if now - due > LATEST else ""
    if not note and policy.endpoint.state != "active":
        note = f"The endpoint is {policy.endpoint.state}."
    if not note:
        try:
            with transaction.atomic():
                drill_services.start_drills(policy.endpoint, trigger=Drill.Trigger.SCHEDULE, acting_user=INSTRUCTOR)
        except PlatformError as error:
            note = error.message
    DrillPolicy.objects.filter(pk=policy.pk).update(note=note)


def step(drill: Drill) -> None:
    """Take one drill as far as it can go now without being asked: to the state `asking`, where its replica answers."""
    replica = drill.replica
    if replica is None:
        _fail(drill, "Its replica was never queued.")
        return
    workload = replica.workload
    if workload.finished_at is not None:
        _fail(drill, replicas.why_ended(replica))
        return
    if workload.placed_at is None:
        if timezone.now() - drill.created_at > QUEUE_LIMIT:
            waits = workload.waiting_reason or "No host had room for it."
            _fail(drill, f"After {QUEUE_LIMIT.total_seconds() / 60:.0f} minutes it still had no place. {waits}")
        return
    if drill.state == "queued" and transitions.begin(drill, placed_at=workload.placed_at):
        drill.refresh_from_db(fields=["state", "placed_at"])
    if not replicas.probe(replica):
        if replicas.overdue(replica):
            _fail(drill, replicas.why_overdue(replica))
        return
    if drill.state == "starting" and transitions.ask(drill, ready_at=replica.healthy_at):
        drill.refresh_from_db(fields=["state", "ready_at"])


def _fail(drill: Drill, detail: str) -> None:
    drill_services.end(drill, passed=False, detail=detail, acting_user=INSTRUCTOR)


def _ask(drill: Drill) -> None:
    """Ask the golden requests, or the version's example where there are none, and give the verdict."""
    replica = drill.replica
    if replica is None:
        return
    limit = drill_policy(drill.endpoint).golden_requests
    found = golden_requests(drill.endpoint, drill.model_version, limit)
    drill.asked_at = timezone.now()
    deadline = time.monotonic() + ASKING_SECONDS
    wrong: list[tuple[str, str]] = []
    asked = 0
    for golden in found:
        if time.monotonic() > deadline:
            break
        asked += 1
        if said := _asked(drill.model_version, replica, golden):
            wrong.append((golden.prediction_id.hex, said))
    compared = asked
    if not found:
        asked, said = _asked_example(drill.model_version, replica)
        if said:
            wrong.append(("", said))
    drill.answered_at = timezone.now()
    passed, detail = _verdict(drill, asked, compared, wrong)
    drill_services.end(
        drill,
        passed=passed,
        detail=detail,
        acting_user=INSTRUCTOR,
        golden=len(found),
        asked=asked,
        compared=compared,
        differing=len(wrong),
        examples=[{"prediction_id": pk, "detail": said[:500]} for pk, said in wrong[:MOST_EXAMPLES]],
        asked_at=drill.asked_at,
        answered_at=drill.answered_at,
    )


def _asked(version: ModelVersion, replica: Replica, golden: Golden) -> str:
    """What is wrong with the answer, empty where it is the one on record."""
    try:
        question = smoking.question_of(version, golden.inputs)
    except ValueError as error:
        return f"The recorded input does not fit the version's signature: {error}."
    reply = smoking.ask(replica, question)
    return reply.error if reply.payload is None else difference(golden, reply.payload, replica.served_by)


def _asked_example(version: ModelVersion, replica: Replica) -> tuple[int, str]:
    """Whether the version's own example was asked, and what went wrong then."""
    if not isinstance(version.example, dict) or not version.example:
        return 0, ""
    try:
        question = smoking.question_of(version, [version.example])
    except ValueError:
        return 0, ""
    return 1, smoking.ask(replica, question).error


def _verdict(drill: Drill, asked: int, compared: int, wrong: list[tuple[str, str]]) -> tuple[bool, str]:
    seconds = drill.total_seconds or 0.0
    if wrong:
        what = f"{len(wrong)} of {asked} golden requests were not answered as on record." if compared else ""
        return False, f"{what} {wrong[0][1]}".strip()
    if drill.max_seconds is not None and seconds > drill.max_seconds:
        return False, f"It took {seconds:.0f} s until the last answer, and at most {drill.max_seconds} s are allowed."
    if compared:
        return True, f"All {compared} golden requests were answered as on record, after {seconds:.1f} s in all."
    what = "answered its example" if asked else "started and answers"
    return True, f"It {what}, after {seconds:.1f} s in all. No answer of it is on record that could be compared."


def _sweep() -> None:
    """Stop replicas of drills that are over, also of those whose end was cut off."""
    left = Replica.objects.filter(
        purpose=Replica.Purpose.DRILL, workload__finished_at=None, workload__cancel_requested_at=None
    )
    for replica in left.exclude(drill__state__in=DRILL_UNDER_WAY).select_related("workload"):
        replicas.stop(replica, reason="The drill is over.")
