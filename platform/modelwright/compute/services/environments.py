"""Writes to environments: ask for one, remove the files of one."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import copies, transitions
from modelwright.compute.environments import build
from modelwright.compute.layout import environment_folder
from modelwright.compute.models import Environment, EnvironmentCopy, EnvironmentRequest, Workload
from modelwright.compute.services.building import queue_build
from modelwright.core.errors import Conflict, ValidationFailed

DEFAULT_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MAX_REQUIREMENTS = 1024 * 1024


@transaction.atomic
def request_environment(
    *,
    requirements: str,
    kind: str = "requirements.txt",
    python: str = DEFAULT_PYTHON,
    additions: Sequence[str] = (),
    acting_user: Actor,
) -> EnvironmentRequest:
    """The request for this file's text: ready when the text is known and built, else with a build under way.

    `additions` are requirements that are resolved together with it, so that there is one set of libraries.

    Raises ValidationFailed on another kind of file, a Python version that is none, or a text of more than 1 MiB.
    """
    requirements, added = _with(requirements, kind, additions)
    _check_request(requirements, kind, python)
    digest = hashlib.sha256(f"{kind}\n{requirements}".encode()).hexdigest()
    request, created = EnvironmentRequest.objects.get_or_create(
        requirements_digest=digest, python_version=python, defaults={"kind": kind, "requirements": requirements}
    )
    # Whoever comes second waits here for the first one's build to be queued.
    request = EnvironmentRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if not created and not _needs_build(request):
        return request
    if not created:
        transitions.environment_building(request)
    request.workload = queue_build(
        name=f"environment {digest[:12]}",
        source=kind,
        text=requirements,
        python=python,
        additions=added,
        acting_user=acting_user,
    )
    request.save(update_fields=["workload"])
    record(
        acting_user=acting_user,
        action=AuditAction.ENVIRONMENT_REQUESTED,
        target=Target("environment request", request.pk, f"{kind} {digest[:12]}"),
        after={"requirements_digest": digest, "python": python},
    )
    request.refresh_from_db()
    return request


def _with(requirements: str, kind: str, additions: Sequence[str]) -> tuple[str, str]:
    """The text that stands for the whole, and what a build is told beside it."""
    if not additions:
        return requirements, ""
    lines = "".join(f"{line}\n" for line in additions)
    if kind == EnvironmentRequest.Kind.REQUIREMENTS:
        return f"{requirements.rstrip()}\n{lines}".lstrip(), ""
    # A project's file cannot be written into; as a comment they are part of what is known by its digest.
    return requirements.rstrip() + "".join(f"\n# added: {line}" for line in additions) + "\n", lines


def _check_request(requirements: str, kind: str, python: str) -> None:
    if kind not in EnvironmentRequest.Kind.values:
        choices = " or ".join(EnvironmentRequest.Kind.values)
        raise ValidationFailed(f"{kind!r} names no dependencies.", remedy=f"Use {choices}.", field="kind")
    parts = python.split(".")
    if len(parts) not in (2, 3) or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValidationFailed(f"{python!r} is no Python version.", remedy="Write for example 3.11.", field="python")
    if len(requirements) > MAX_REQUIREMENTS:
        raise ValidationFailed("The file is longer than 1 MiB.", remedy="Shorten it.", field="requirements")


def _needs_build(request: EnvironmentRequest) -> bool:
    if request.state == "failed":
        return True
    if request.state == "building":
        # A build that ended without taking its request along, or was never queued, must not block it for ever.
        return request.workload is None or request.workload.collected_at is not None
    environment = request.environment
    if environment is None or copies.is_anywhere(environment):
        # Where one host has it, others make their copies from its lock.
        return environment is None
    transitions.environment_present(environment, present=False)
    return True


@transaction.atomic
def remove_environment(environment: Environment, *, acting_user: Actor) -> None:
    """Deletes the environment's files; the next run that needs it builds it again. Site administrators only.

    Raises Conflict while a workload that is not over uses it.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    environment = Environment.objects.select_for_update(of=("self",)).get(pk=environment.pk)
    users = Q(environment=environment) | Q(environment_request__environment=environment)
    if Workload.objects.filter(users, finished_at=None).exists():
        raise Conflict(
            f"Environment {environment} is in use.", remedy="Wait for its runs and replicas to end, or stop them."
        )
    if transitions.environment_present(environment, present=False):
        record(
            acting_user=acting_user,
            action=AuditAction.ENVIRONMENT_REMOVED,
            target=Target("environment", environment.pk, str(environment)),
            before={"size_bytes": environment.size_bytes},
        )
    for copy in EnvironmentCopy.objects.filter(environment=environment):
        transitions.copy_removed(copy)
    folder = environment_folder(environment)
    (folder / build.READY).unlink(missing_ok=True)
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))
