"""Starts processes of applications."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs.dependencies import read_snapshot
from jobs.quota import check_quota
from modelwright.accounts.actors import Actor
from modelwright.compute import services as compute
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.core.errors import Conflict
from projects import source
from projects.variables.giving import Subject, environment_of, record_reads
from sessions import repository
from sessions.applications.models import Application
from sessions.applications.services import words_of
from sessions.proxy.site import site
from workspaces.selectors import allowed_profiles

COMMAND = ("{python}", "-m", "modelwright_runtime.application")
# The watcher starts another then; some end is needed, as limits of workloads are enforced on the host.
LIFE_SECONDS = 30 * 24 * 3600
GRACE_SECONDS = 10.0
USUAL = "small"


def url_of(application: Application) -> str:
    """The address at which people reach it."""
    return site(settings.SESSIONS_URL).origin(application.key)


@transaction.atomic
def begin(application: Application, *, acting_user: Actor) -> Workload | None:
    """Queue a process from the newest commit of its branch; None where somebody else did, or it is not wanted.

    Raises what kept it from that: NotFound, Conflict, QuotaExceeded, ValidationFailed.
    """
    application = (
        Application.objects.select_for_update(of=("self",))
        .select_related("project__workspace", "profile", "created_by", "workload")
        .get(pk=application.pk)
    )
    if not application.is_wanted or application.deleted_at or application.is_live:
        return None
    project = application.project
    commit = _commit(application)
    size = application.profile or _usual(application)
    check_quota(project.workspace, size)
    snapshot = read_snapshot(project, commit)
    plain = {
        "MODELWRIGHT_APP_SOCKET": "{socket}",
        "MODELWRIGHT_APP_URL": url_of(application),
        "MODELWRIGHT_APPLICATION": application.name,
        "MODELWRIGHT_PROJECT": project.name,
        "MODELWRIGHT_GATEWAY_URL": settings.GATEWAY_URL,
        "MODELWRIGHT_WEB_URL": settings.WEB_URL,
        "PYTHONUNBUFFERED": "1",
    }
    given = environment_of(project, taken=plain)
    workload = compute.create_workload(
        kind=Workload.Kind.APPLICATION,
        name=f"{project.name}/{application.name}",
        command=[*COMMAND, *words_of(application.command)],
        cpu=size.cpu,
        memory_bytes=size.memory_bytes,
        gpus=size.gpus,
        labels=size.labels,
        timeout_seconds=LIFE_SECONDS,
        grace_seconds=GRACE_SECONDS,
        environment_request=compute.request_environment(
            requirements=snapshot.requirements, kind=snapshot.kind, acting_user=acting_user
        ),
        variables=plain,
        secret_variables=given.variables,
        secret_files=given.files,
        masked=given.masked,
        source={"archive": source.archive(project, commit)},
        workspace_id=project.workspace_id,
        project_id=project.pk,
        acting_user=acting_user,
    )
    record_reads(
        project,
        given.names,
        workload=workload,
        subject=Subject("application", application.pk, str(application)),
        attempt=1,
        for_whom=application.created_by,
        acting_user=acting_user,
    )
    application.workload, application.commit, application.trouble = workload, commit, ""
    application.ready_at, application.starts_at, application.answers = None, None, False
    application.save(update_fields=["workload", "commit", "trouble", "ready_at", "starts_at", "answers"])
    return workload


@transaction.atomic
def plan_again(application: Application, *, delay: float, failures: int, trouble: str = "") -> None:
    """Start it again after `delay` seconds."""
    Application.objects.filter(pk=application.pk, workload=application.workload, starts_at=None).update(
        starts_at=timezone.now() + timedelta(seconds=delay), failures=failures, trouble=trouble, answers=False
    )


def _commit(application: Application) -> str:
    if not application.branch:
        return source.check_commit(application.project, None)
    found = repository.tip(application.project, f"refs/heads/{application.branch}")
    if found is None:
        raise Conflict(f"The branch {application.branch} is gone.", remedy="Make it again, or another application.")
    return found


def _usual(application: Application) -> ResourceProfile:
    allowed = allowed_profiles(application.project.workspace)
    usual = allowed.filter(name=USUAL).first() or allowed.first()
    if usual is None:
        raise Conflict("There is no size.", remedy="Have an administrator make one.")
    return usual
