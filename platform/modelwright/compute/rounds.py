"""One look at the whole queue: who is placed where, and why the others wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.utils import timezone

from modelwright.compute import copies, transitions, waiting
from modelwright.compute.allowances import (
    NO_LIMITS,
    Allowance,
    Usage,
    allowances,
    never_fits,
    over_limit,
    total_room,
    usages,
)
from modelwright.compute.apart import Groups
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.fitting import Need, choose_from, could_hold, nearest_first, need_of
from modelwright.compute.forecast import NOBODY_KNOWS, Forecast
from modelwright.compute.models import Environment, EnvironmentCopy, EnvironmentRequest, Host, Workload
from modelwright.compute.rooms import free_rooms
from modelwright.compute.turns import in_turn, is_patient

# What ends wakes the queue at once; this is for whatever is not announced, such as a larger host.
LOOK_AGAIN = timedelta(seconds=10)
# Nobody who stands further back is told how long it takes.
FORESEEN = 50

Placed = tuple[UUID, int, str]
Reason = Callable[[], str]


class Round:
    """Runs once, in a transaction that holds the rounds' lock. `asked` is told why it waits in any case."""

    def __init__(self, asked: UUID | None = None) -> None:
        self._asked = asked
        self._now = timezone.now()
        self._placed: list[Placed] = []
        self._reasons: list[tuple[Workload, Reason]] = []
        self._queue = list(_queued())
        # Specs are long, so the queue is read without them.
        queued = Workload.objects.filter(state="queued").annotate(ready_image=KT("spec__image"))
        self._with_images = set(queued.filter(ready_image__gt="").values_list("pk", flat=True))
        self._groups = Groups()
        self._hosts = list(Host.objects.filter(state="active").order_by("name"))
        self._rooms = free_rooms(self._hosts)
        # As `_rooms`, less what waits for a copy of its environment there: so that not all wait for the same host.
        self._promised = dict(self._rooms)
        self._total = total_room(self._hosts)
        self._usages = usages()
        self._allowances = allowances(w.workspace_id for w in self._queue if w.workspace_id)
        self._copies = copies.known_copies(env for w in self._queue if (env := _known_environment(w)) is not None)
        # Hosts that are kept free for one that has waited for long, and workspaces whose oldest waits for a limit.
        self._kept: set[UUID] = set()
        self._blocked: set[UUID] = set()
        self._locked: set[UUID] = set()
        self._able: dict[object, list[Host]] = {}
        self._full: set[object] = set()
        self._builds: dict[UUID, Workload | None] = {}
        self._waiting = 0
        self._forecast: Forecast | None = None

    def run(self) -> list[Placed]:
        """(workload, fence, name of its host) of each that was placed."""
        for workload in in_turn(self._queue, self._share, self._part, self._now):
            self._consider(workload)
        self._write_reasons()
        return self._placed

    def _consider(self, workload: Workload) -> None:
        usable, environment = self._environment(workload)
        if not usable:
            return
        allowance = self._allowance(workload)
        need = need_of(workload, allowance.labels, in_container=workload.pk in self._with_images)
        able = self._able_to_hold(need)
        if not able:
            self._wait(workload, lambda: waiting.for_a_host(need, self._hosts))
            return
        if self._is_over_limit(workload, allowance):
            return
        left = self._without_failed(workload, environment, able)
        if left and not self._put(workload, need, left, environment):
            self._waiting += 1

    def _put(self, workload: Workload, need: Need, able: Sequence[Host], environment: Environment | None) -> bool:
        """Places it on the best host, or says why it waits for room or for a copy of its environment."""
        fitting = self._groups.loneliest(workload, self._fitting(need, able))
        ready = (
            fitting
            if environment is None
            else [h for h in fitting if self._copy_state(workload, environment, h) == "ready"]
        )
        for host in ready:
            if self._reserve(workload, need, host, environment):
                return True
        if fitting and not ready and environment is not None:
            self._wait_for_copy(workload, need, fitting, environment)
            return False
        kept = any(need.fits(self._rooms[host.pk]) for host in able if host.pk in self._kept)
        if not kept and is_patient(workload, self._now):
            self._kept.add(nearest_first(able, self._rooms, need)[0].pk)
        ahead = self._waiting

        def reason() -> str:
            near = nearest_first(able, self._rooms, need)
            why = waiting.for_room(need, near, self._rooms, ahead=ahead, kept=kept)
            return f"{why} {self._how_long(workload, need, near, ahead)}".strip()

        self._wait(workload, reason)
        return False

    def _able_to_hold(self, need: Need) -> list[Host]:
        """The hosts that are good enough for it. A long queue asks for few different things."""
        if need.key not in self._able:
            self._able[need.key] = [host for host in self._hosts if could_hold(host, need)]
        return self._able[need.key]

    def _fitting(self, need: Need, able: Sequence[Host]) -> list[Host]:
        """Those that have room now. Rooms only shrink in a round: what has found none finds none any more."""
        if need.key in self._full:
            return []
        fitting = choose_from([host for host in able if host.pk not in self._kept], self._rooms, need)
        if not fitting:
            self._full.add(need.key)
        return fitting

    def _reserve(self, workload: Workload, need: Need, host: Host, environment: Environment | None) -> bool:
        """Gives it the host. False where the host has been taken out of use meanwhile, or the workload ended."""
        if host.pk not in self._locked:
            # Whoever takes hosts out of use locks their rows too.
            if not Host.objects.select_for_update(no_key=True).filter(pk=host.pk, state="active"):
                self._hosts = [other for other in self._hosts if other.pk != host.pk]
                self._able.clear()
                return False
            self._locked.add(host.pk)
        gpus = self._rooms[host.pk].gpus[: need.gpus]
        fence = transitions.place(workload, host, environment=environment, gpu_indexes=gpus)
        if fence is None:
            return True
        self._rooms[host.pk] = self._rooms[host.pk].less(need.cpu, need.memory_bytes, gpus)
        self._promised[host.pk] = self._promised[host.pk].less(need.cpu, need.memory_bytes, gpus)
        self._usages.setdefault(workload.workspace_id, Usage()).add(workload)
        request = workload.environment_request
        if request is not None and not workload.environment_note:
            Workload.objects.filter(pk=workload.pk).update(environment_note=request.reason)
        self._placed.append((workload.pk, fence, host.name))
        self._groups.placed(workload, host)
        return True

    def _environment(self, workload: Workload) -> tuple[bool, Environment | None]:
        """(whether it need not wait for an environment's first build, which one it is)."""
        request = workload.environment_request
        if request is None:
            return True, workload.environment
        if request.state == "failed":
            self._fail(workload, build_failure(request))
            return False, None
        if request.state != "ready":
            self._wait(workload, lambda: waiting.for_build(self._build_of(request), self._foresee().build_seconds()))
            return False, None
        if request.environment is not None and request.environment.state == "removed":
            self._fail(workload, "Its environment was removed while it waited. Start it again: that builds it.")
            return False, None
        return True, request.environment

    def _build_of(self, request: EnvironmentRequest) -> Workload | None:
        """The build that many may wait for."""
        if request.workload_id is None:
            return None
        if request.pk not in self._builds:
            self._builds[request.pk] = Workload.objects.filter(pk=request.workload_id).defer("spec").first()
        return self._builds[request.pk]

    def _without_failed(
        self, workload: Workload, environment: Environment | None, able: Sequence[Host]
    ) -> Sequence[Host]:
        """The hosts that have not failed to make the environment. Where all have, the workload fails with the error."""
        if environment is None:
            return able
        left = [host for host in able if self._copy_state(workload, environment, host) != "failed"]
        if not left:
            failed = [(host, self._copies[environment.pk, host.pk]) for host in able]
            self._fail(workload, waiting.failed_copies(failed))
        return left

    def _wait_for_copy(self, workload: Workload, need: Need, fitting: Sequence[Host], environment: Environment) -> None:
        """It goes to the host that is at it already and has room for it too, else the best one begins."""
        promised = choose_from(fitting, self._promised, need) or fitting
        # A build that has no room there would wait, and then keep the host free for itself.
        able = [host for host in promised if self._can_build(environment, host)] or promised
        host = next((h for h in able if self._copy_state(workload, environment, h) == "building"), able[0])
        copy = copies.request_copy(environment, host)
        self._copies[environment.pk, host.pk] = copy
        self._promised[host.pk] = self._promised[host.pk].less(need.cpu, need.memory_bytes)
        self._wait(workload, lambda: waiting.for_copy(copy, host, self._foresee().build_seconds()))

    def _can_build(self, environment: Environment, host: Host) -> bool:
        """Whether the host is building the environment, or has room for that now."""
        copy = self._copies.get((environment.pk, host.pk))
        build = copy.workload if copy is not None and copy.state == "building" else None
        if build is not None and (build.state != "queued" or any(pk == build.pk for pk, _, _ in self._placed)):
            return True
        return self._rooms[host.pk].fits(*copies.build_size(host))

    def _copy_state(self, workload: Workload, environment: Environment | None, host: Host) -> str:
        """What the host's copy is to this workload. What failed before it was queued is worth another try."""
        if environment is None:
            return "ready"
        copy: EnvironmentCopy | None = self._copies.get((environment.pk, host.pk))
        if copy is None:
            return ""
        ended = copy.workload.finished_at if copy.workload is not None else None
        is_old = copy.state == "failed" and ended is not None and ended < workload.queued_at
        return "" if is_old else copy.state

    def _is_over_limit(self, workload: Workload, allowance: Allowance) -> bool:
        workspace = workload.workspace_id
        if workspace is None:
            return False
        why = over_limit(allowance, self._usages.get(workspace, Usage()), workload)
        if not why and workspace in self._blocked:
            why = waiting.PATIENT_ONE
        if not why:
            return False
        if is_patient(workload, self._now) and not never_fits(allowance, workload):
            self._blocked.add(workspace)
        if never_fits(allowance, workload):
            self._wait(workload, lambda: waiting.for_higher_limit(allowance.name, why))
        else:
            self._wait(workload, lambda: waiting.for_limit(allowance.name, why, self._foresee().next_end(workspace)))
        return True

    def _allowance(self, workload: Workload) -> Allowance:
        return self._allowances.get(workload.workspace_id, NO_LIMITS) if workload.workspace_id else NO_LIMITS

    def _share(self, workspace: UUID | None) -> float:
        allowance = self._allowances.get(workspace, NO_LIMITS) if workspace else NO_LIMITS
        return self._usages.get(workspace, Usage()).share(allowance, self._total)

    def _part(self, workspace: UUID | None) -> float:
        return self._usages.get(workspace, Usage()).share(NO_LIMITS, self._total)

    def _foresee(self) -> Forecast:
        if self._forecast is None:
            self._forecast = Forecast(self._rooms, self._queue, self._now)
        return self._forecast

    def _how_long(self, workload: Workload, need: Need, able: Sequence[Host], ahead: int) -> str:
        if ahead >= FORESEEN:
            return ""
        wait = self._foresee().wait(workload, need, [host.pk for host in able])
        return NOBODY_KNOWS if wait is None else wait.words()

    def _fail(self, workload: Workload, detail: str) -> None:
        end_workload(workload.pk, None, cause=Cause.FAILED, facts={"detail": detail})

    def _wait(self, workload: Workload, reason: Reason) -> None:
        self._reasons.append((workload, reason))

    def _write_reasons(self) -> None:
        """Answers the hints of all that were looked at; words them anew where nobody has for a while.

        Only hints that were there when the queue was read are answered. What came since is left for the next round,
        also from a transaction that began earlier and could not be seen: its time says nothing of when it was over.
        """
        later, worded = self._now + LOOK_AGAIN, {}
        for workload, reason in self._reasons:
            if workload.available_at <= self._now or not workload.waiting_reason or workload.pk == self._asked:
                worded[workload.pk] = reason()
        hints = {workload.pk: workload.hinted_at for workload, _ in self._reasons}
        answered = [pk for pk, hinted_at in hints.items() if hinted_at is not None]
        with connection.cursor() as cursor:
            seen = [hints[pk] for pk in worded]
            cursor.execute(_WORD, [later, list(worded), list(worded.values()), seen])
            if answered:
                cursor.execute(_ANSWER, [later, answered, [hints[pk] for pk in answered]])


# One statement, because a queue may be long; not by the ORM, which takes ten times as long to write it.
_WORD = """
UPDATE compute_workload AS w SET waiting_reason = v.reason, available_at = %s, hinted_at = NULL
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS v (id, reason, hinted_at)
WHERE w.id = v.id AND w.state IN ('queued') AND w.hinted_at IS NOT DISTINCT FROM v.hinted_at
"""
_ANSWER = """
UPDATE compute_workload AS w SET available_at = %s, hinted_at = NULL
FROM unnest(%s::uuid[], %s::timestamptz[]) AS v (id, hinted_at)
WHERE w.id = v.id AND w.state IN ('queued') AND w.hinted_at = v.hinted_at
"""


def build_failure(request: EnvironmentRequest) -> str:
    """What the author of the requirements reads on everything that waited for their environment."""
    return f"Its environment could not be built.\n{request.error}\n{request.remedy}".strip()


def _known_environment(workload: Workload) -> Environment | None:
    request = workload.environment_request
    return request.environment if request is not None else workload.environment


def _queued() -> QuerySet[Workload]:
    related = ("environment_request__environment", "environment")
    return (
        Workload.objects.filter(state="queued")
        .select_related(*related)
        .defer(
            *("spec", "secrets", "environment__lock"),
            *("environment_request__requirements", "environment_request__environment__lock"),
        )
        .order_by("queued_at")
    )
