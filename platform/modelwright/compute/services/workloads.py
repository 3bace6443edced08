"""Writes to workloads: queue one, cancel one, note that its results were taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import hints, selectors
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.fitting import Need, could_hold, missing_labels
from modelwright.compute.models import Environment, EnvironmentRequest, Host, Workload
from modelwright.compute.rooms import largest_of
from modelwright.compute.sealed import Secrets, seal
from modelwright.compute.words import label_words, size_words
from modelwright.core.errors import Conflict, QuotaExceeded, ValidationFailed


@transaction.atomic
def create_workload(
    *,
    kind: str,
    name: str,
    command: Sequence[str],
    cpu: float,
    memory_bytes: int,
    acting_user: Actor,
    environment_request: EnvironmentRequest | None = None,
    environment: Environment | None = None,
    variables: Mapping[str, str] | None = None,
    secret_variables: Mapping[str, str] | None = None,
    secret_files: Mapping[str, str] | None = None,
    masked: Sequence[str] = (),
    source: Mapping[str, str] | None = None,
    models: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    directory: str = "",
    image: str = "",
    timeout_seconds: int | None = None,
    grace_seconds: float = 5.0,
    retryable: bool = False,
    gpus: int = 0,
    labels: Mapping[str, str] | None = None,
    pinned_host: Host | None = None,
    apart: str = "",
    workspace_id: UUID | None = None,
    project_id: UUID | None = None,
) -> Workload:
    """Queues a workload in the caller's transaction; its placement begins when that commits.

    The caller has checked that the actor may. `command` and the variables may hold the placeholders of
    `specs.make_spec`; `source` is `{"archive": SHA-256 of a stored tar}`, `models` are digests of stored manifests;
    `files` are written beside the source; `secret_variables` are kept encrypted, passed on to the letter (so whatever
    people wrote belongs there) and forgotten at the end; so are `secret_files` (name of the variable that tells the
    path -> text) and `masked`, values that its log shows as `***`. With an `environment_request` the workload waits for
    the environment and fails with the build's error. `image` is for hosts with containers, whose administrator must
    allow it. Only `pinned_host` may run it, where one is given, and only a host with all of `labels`; `gpus` are whole.
    Those that name one group in `apart` are spread over hosts. What is `retryable` ends by itself on a host that is cut
    off, because the caller lets it run again elsewhere. Raises QuotaExceeded when no host could ever hold it.
    """
    check_size(cpu, memory_bytes, gpus=gpus, labels=labels)
    spec = {
        "command": list(command),
        "environment": dict(variables or {}),
        "source": dict(source) if source else None,
        "models": list(models),
        "files": dict(files or {}),
        "directory": directory,
        "image": image,
        "grace_seconds": grace_seconds,
        "retryable": retryable,
        "apart": apart,
    }
    now = timezone.now()
    workload = Workload.objects.create(
        kind=kind,
        name=name[:255],
        cpu=cpu,
        memory_bytes=memory_bytes,
        gpus=gpus,
        labels=dict(labels or {}),
        timeout_seconds=timeout_seconds,
        environment_request=environment_request,
        environment=environment,
        environment_note=_note(environment_request),
        spec=spec,
        pinned_host=pinned_host,
        secrets=seal(Secrets(secret_variables or {}, secret_files or {}, masked)),
        workspace_id=workspace_id,
        project_id=project_id,
        created_by=acting_user.name,
        hinted_at=now,
        available_at=now + hints.ANSWERED_WITHIN,
    )
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_CREATED,
        target=_target(workload),
        after={
            "kind": kind,
            "cpu": cpu,
            "memory_bytes": memory_bytes,
            "gpus": gpus,
            "timeout_seconds": timeout_seconds,
        },
        workspace_id=workspace_id,
        project_id=project_id,
    )
    transaction.on_commit(lambda: hints.place(workload.pk))
    return workload


def check_size(cpu: float, memory_bytes: int, *, gpus: int = 0, labels: Mapping[str, str] | None = None) -> None:
    """Raises ValidationFailed on a size that is none, QuotaExceeded when no known host is good enough for it."""
    if cpu <= 0 or memory_bytes <= 0:
        raise ValidationFailed("CPU and memory must be more than zero.", remedy="Choose a size.", field="profile")
    hosts = list(Host.objects.exclude(state__in=("offline", "removed")))
    need = Need(cpu, memory_bytes, gpus, labels or {}, None, own_labels=labels or {})
    if not hosts or any(could_hold(host, need) for host in hosts):
        return
    remedy = "Choose a smaller profile, or add a larger host."
    labelled = [host for host in hosts if not missing_labels(host, labels or {})]
    if not labelled:
        raise QuotaExceeded(
            f"It asks for a host with {label_words(labels or {})}, and there is none.",
            remedy="Choose another profile, or add a host with these labels.",
            field="profile",
        )
    name, room = largest_of(labelled)
    raise QuotaExceeded(
        f"It asks for {size_words(cpu, memory_bytes, gpus)}, and no host is that large: the largest, {name}, "
        f"has {size_words(room.cpu, room.memory_bytes, len(room.gpus))} for workloads.",
        remedy=remedy,
        field="profile",
    )


@transaction.atomic
def request_cancel(workload: Workload, *, acting_user: Actor, reason: str = "") -> Workload:
    """Ends a queued workload at once; asks a placed or running one to end, which the watcher of its host sees to.

    The caller has checked that the actor may. Raises Conflict when it is over already. Asking twice is harmless.
    """
    workload = Workload.objects.select_for_update(of=("self",)).get(pk=workload.pk)
    if workload.is_ended:
        raise Conflict(
            f"{workload.name} is over already: it {workload.get_state_display().lower()}.",
            remedy="There is nothing to cancel. Reload the page to see how it ended.",
        )
    if workload.cancel_requested_at is not None:
        return workload
    _want_no_more(workload, reason, acting_user)
    if workload.state in ("queued", "placed"):
        facts = {"detail": f"Cancelled by {acting_user.name} before it started."}
        end_workload(workload.pk, workload.fence, cause=Cause.CANCELLED, facts=facts, acting_user=acting_user)
        workload.refresh_from_db()
    return workload


@transaction.atomic
def renounce(workload: Workload, *, reason: str = "", acting_user: Actor) -> Workload:
    """Note that nobody wants what the ended workload did to be done again, before its end was followed by that.

    The caller has checked that the actor may. Raises Conflict where it was collected already. Asking twice is harmless.
    """
    workload = Workload.objects.select_for_update(of=("self",)).get(pk=workload.pk)
    if workload.collected_at is not None:
        raise Conflict(
            f"What follows the end of {workload.name} has begun already.",
            remedy="Reload the page, and cancel what is there then.",
        )
    if workload.cancel_requested_at is None:
        _want_no_more(workload, reason, acting_user)
    return workload


def hold_newest(newest: Callable[[], UUID]) -> Workload:
    """The workload that `newest` names, which nobody ends or follows by another before the transaction is over.

    `newest` is asked for the id as the database has it, again once that is held: another one may have followed.
    """
    while True:
        held = Workload.objects.select_for_update(of=("self",)).get(pk=newest())
        if newest() == held.pk:
            return held


def _want_no_more(workload: Workload, reason: str, acting_user: Actor) -> None:
    workload.cancel_requested_at = timezone.now()
    workload.cancel_requested_by = acting_user.name
    workload.save(update_fields=["cancel_requested_at", "cancel_requested_by"])
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_CANCEL_REQUESTED,
        target=_target(workload),
        before={"state": workload.state},
        reason=reason,
        workspace_id=workload.workspace_id,
        project_id=workload.project_id,
    )


@transaction.atomic
def cancel_by_administrator(workload_id: UUID, *, acting_user: Actor) -> Workload:
    """Ends any workload of the installation. Site administrators only. Raises NotFound, PermissionRefused, Conflict."""
    person = acting_user.require_user()
    require_site(person, Permission.SITE_MANAGE)
    return request_cancel(selectors.workload(person, workload_id), acting_user=acting_user)


def mark_collected(workload: Workload) -> bool:
    """The upper room has taken what it needs of the ended workload; its working folder may go. False when done before.

    No audit row: nothing that a person can see changes.
    """
    ended = Workload.objects.filter(pk=workload.pk, finished_at__isnull=False, collected_at=None)
    return ended.update(collected_at=timezone.now()) > 0


def forget_files(workload: Workload) -> None:
    """Take the files that were written beside its source out of the row: they hold what is not to be kept with it.

    No audit row: nobody is shown them.
    """
    Workload.objects.filter(pk=workload.pk).update(spec={**workload.spec, "files": {}})


def _note(request: EnvironmentRequest | None) -> str:
    if request is None or request.state != "ready" or request.ready_at is None:
        return ""
    return f"Reused: these requirements were resolved and built on {request.ready_at:%Y-%m-%d %H:%M} UTC."


def _target(workload: Workload) -> Target:
    return Target("workload", workload.pk, workload.name)
