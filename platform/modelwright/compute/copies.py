"""Copies of environments: which host has one, who makes one, and what became of it.

An environment is its lock. With host processes a host's copy is a folder named by the lock's digest; with containers
it is an image. The placeholder `{builder}` in the command is where that differs.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import hints, transitions
from modelwright.compute.backends.base import BackendError, UnavailableError
from modelwright.compute.backends.keeper import KeeperBackend
from modelwright.compute.build_orders import BUILD_CPU, BUILD_MEMORY_BYTES, BUILD_TIMEOUT_SECONDS, make_order
from modelwright.compute.environments import build
from modelwright.compute.layout import environment_folder, local_backend
from modelwright.compute.models import Environment, EnvironmentCopy, Host, Workload
from modelwright.core.text import storable

logger = logging.getLogger(__name__)

SYSTEM = Actor.system("compute")
_IMAGE = re.compile(r"modelwright-environment:[0-9a-f]{40}")


Known = dict[tuple[UUID, UUID], EnvironmentCopy]


def known_copies(environments: Iterable[Environment]) -> Known:
    """The copies of these environments by (environment, host), those of this host as its disk says."""
    wanted = {environment.pk: environment for environment in environments}
    copies = EnvironmentCopy.objects.filter(environment__in=wanted).exclude(state="removed")
    rows = copies.select_related("workload").defer("workload__spec", "workload__secrets")
    known = {(copy.environment_id, copy.host_id): copy for copy in rows}
    here = Host.objects.filter(name=settings.HOST_NAME).first()
    if here is not None:
        for environment in wanted.values():
            copy = look_here(environment, here, known.get((environment.pk, here.pk)))
            known.pop((environment.pk, here.pk), None)
            if copy is not None:
                known[environment.pk, here.pk] = copy
    return known


def is_anywhere(environment: Environment) -> bool:
    """Whether any host has the environment or is at it; also this machine, before its host has announced itself."""
    is_here = environment.state == "ready" and (environment_folder(environment) / build.READY).exists()
    return is_here or bool(known_copies([environment]))


def look_here(environment: Environment, here: Host, copy: EnvironmentCopy | None) -> EnvironmentCopy | None:
    """The copy of this host, corrected by what lies on its disk; None when it has none. Images are taken as told.

    What is left of a time when the host ran workloads otherwise is no copy.
    """
    if here.backend != Host.Backend.PROCESS:
        if copy is not None and copy.state == "ready" and not copy.image:
            transitions.copy_removed(copy)
            return None
        return copy
    is_there = (environment_folder(environment) / build.READY).exists()
    if copy is not None and copy.state == "ready" and not is_there:
        transitions.copy_removed(copy)
        return None
    if is_there and environment.state == "ready" and (copy is None or copy.state != "ready" or copy.image):
        return enter_copy(environment, here)
    return copy


@transaction.atomic
def enter_copy(environment: Environment, host: Host, *, image: str = "") -> EnvironmentCopy:
    """Notes that the host has the environment."""
    copy, created = EnvironmentCopy.objects.get_or_create(
        environment=environment, host=host, defaults={"state": "ready", "image": image, "ready_at": timezone.now()}
    )
    if not created and copy.state != "ready":
        transitions.copy_ready(copy, image=image)
        copy.refresh_from_db()
    elif copy.image != image:
        EnvironmentCopy.objects.filter(pk=copy.pk).update(image=image)
    return copy


def image_on(environment: Environment, host: Host) -> str:
    """The image that holds the environment on that host, empty when the host has none."""
    found = EnvironmentCopy.objects.filter(environment=environment, host=host, state="ready").first()
    return found.image if found else ""


def note_gone(workload: Workload) -> None:
    """The host turned out not to have the workload's environment, so whoever needs it next has it made again."""
    for copy in EnvironmentCopy.objects.filter(environment=workload.environment, host=workload.host):
        transitions.copy_removed(copy)


@transaction.atomic
def request_copy(environment: Environment, host: Host, *, acting_user: Actor = SYSTEM) -> EnvironmentCopy:
    """Has the host make its copy, by a build from the lock that is pinned to it. One under way or ready is answered."""
    copy, created = EnvironmentCopy.objects.get_or_create(environment=environment, host=host)
    copy = EnvironmentCopy.objects.select_for_update(of=("self",)).select_related("workload").get(pk=copy.pk)
    under_way = copy.state == "building" and copy.workload is not None and copy.workload.collected_at is None
    if not created and (copy.state == "ready" or under_way):
        return copy
    workload = _queue_build(environment, host, acting_user)
    record(
        acting_user=acting_user,
        action=AuditAction.ENVIRONMENT_COPY_REQUESTED,
        target=Target("environment", environment.pk, str(environment)),
        after={"host": host.name, "workload": str(workload.pk)},
    )
    if copy.state == "building":
        EnvironmentCopy.objects.filter(pk=copy.pk).update(workload=workload)
    else:
        transitions.copy_building(copy, workload=workload)
    copy.refresh_from_db()
    return copy


def build_size(host: Host) -> tuple[float, int]:
    """(CPUs, bytes) that a build on the host reserves."""
    return min(BUILD_CPU, host.cpu), min(BUILD_MEMORY_BYTES, host.memory_bytes)


def _queue_build(environment: Environment, host: Host, acting_user: Actor) -> Workload:
    # From the lock alone; the host's backend decides whether that is a folder or an image.
    order = make_order(source=build.LOCK, text=environment.lock, python=environment.python_version)
    now = timezone.now()
    cpu, memory_bytes = build_size(host)
    workload = Workload.objects.create(
        kind=Workload.Kind.ENVIRONMENT,
        name=f"environment {environment} on {host.name}"[:255],
        cpu=cpu,
        memory_bytes=memory_bytes,
        timeout_seconds=BUILD_TIMEOUT_SECONDS,
        pinned_host=host,
        spec={"command": order.command, "environment": {}, "source": None, "files": order.files},
        created_by=acting_user.name,
        hinted_at=now,
        available_at=now + hints.ANSWERED_WITHIN,
    )
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_CREATED,
        target=Target("workload", workload.pk, workload.name),
        after={"kind": workload.kind, "cpu": workload.cpu, "memory_bytes": workload.memory_bytes, "host": host.name},
    )
    transaction.on_commit(lambda: hints.place(workload.pk))
    return workload


def take_copy_result(workload: Workload, result: Mapping[str, Any]) -> None:
    """What the build of a lock that was known led to, on the one host that it was for."""
    for copy in EnvironmentCopy.objects.filter(workload=workload, state="building").select_related("environment"):
        built = workload.state == "succeeded" and result.get("ok") is True
        if built and result.get("digest") == copy.environment.lock_digest:
            transitions.copy_ready(copy, image=built_image(workload, result))
            transitions.environment_present(copy.environment, present=True)
        elif was_taken_away(workload):
            # That says nothing about the environment: whoever needs it asks again.
            transitions.copy_removed(copy)
        else:
            error = str(result.get("error") or workload.detail or "The build left no result.")
            remedy = str(result.get("remedy") or "See the log of the build, then start again.")
            transitions.copy_failed(copy, error=storable(error), remedy=storable(remedy))


def was_taken_away(workload: Workload) -> bool:
    """Whether the build went with its host, lost or stopped, and nobody wanted its end."""
    return workload.state in ("lost", "cancelled") and workload.cancel_requested_at is None


def built_image(workload: Workload, result: Mapping[str, Any]) -> str:
    """The image's name where the host has containers; there only the platform's own program wrote the result."""
    image = str(result.get("image") or "")
    is_ours = workload.host is not None and workload.host.backend != Host.Backend.PROCESS and _IMAGE.fullmatch(image)
    return image if is_ours else ""


def forget_removed() -> None:
    """Deletes the folders and images of this host's copies that are removed. May be repeated."""
    backend = local_backend()
    if isinstance(backend, KeeperBackend):
        _forget_images(backend)
        return
    for copy in EnvironmentCopy.objects.filter(host__name=settings.HOST_NAME, state="removed"):
        folder = environment_folder(Environment.objects.get(pk=copy.environment_id))
        if not folder.exists():
            continue
        # A build that has begun meanwhile holds the lock, and its copy is no longer a removed one.
        with build.exclusive(folder.with_name(f"{folder.name}.lock")):
            if EnvironmentCopy.objects.filter(pk=copy.pk, state="removed").exists():
                (folder / build.READY).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)


def _forget_images(keeper: KeeperBackend) -> None:
    """One that is still used goes later."""
    removed = EnvironmentCopy.objects.filter(host__name=settings.HOST_NAME, state="removed").exclude(image="")
    for pk, image in removed.values_list("pk", "image"):
        try:
            keeper.remove_image(image)
        except UnavailableError:
            return
        except BackendError as error:
            logger.info("image %s stays: %s", image, error)
            continue
        EnvironmentCopy.objects.filter(pk=pk, state="removed").update(image="")
