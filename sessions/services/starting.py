"""Starts sessions, for the first time and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from jobs.dependencies import Snapshot, read_snapshot
from jobs.quota import check_quota
from jobs.run_environment import RunSecrets, run_secrets
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.compute import services as compute
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.compute.ready_images import check_image
from modelwright.compute.selectors import profile as profile_by_name
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict
from modelwright.core.ids import new_id
from modelwright.core.saving import check_fields
from projects import source
from projects.models import Project
from projects.selectors import authorize
from projects.services import author_of
from projects.variables.giving import Subject, record_reads
from sessions import lab, repository
from sessions.models import DEFAULT_IDLE_SECONDS, DEFAULT_LIFE_SECONDS, Session, SessionStart
from sessions.selectors import NEEDS_A_HOST, can_run, policy_of
from sessions.services.facts import audit
from sessions.tokens import new_key, new_session_token
from workspaces.models import Workspace
from workspaces.selectors import allowed_profiles

DEFAULT_PROFILE = "medium"


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What to start: at the newest commit of the main branch, unless `commit` or `branch` names another.

    `profile` is a size's name, empty for the usual one. `image` names a ready image, with JupyterLab and Git in it, in
    place of an environment made from the requirements. It ends after `idle_seconds` in which nothing was done, and
    after `life_seconds` in any case.
    """

    commit: str = ""
    branch: str = ""
    profile: str = ""
    image: str = ""
    idle_seconds: int = DEFAULT_IDLE_SECONDS
    life_seconds: int = DEFAULT_LIFE_SECONDS


@transaction.atomic
def start_session(project: Project, request: SessionRequest, *, acting_user: Actor) -> Session:
    """Queue a session of the person who asks: its row, its branch, its workload and the audit row, or none of them.

    Raises ValidationFailed, NotFound, Conflict, QuotaExceeded, PermissionRefused.
    """
    owner = acting_user.require_user()
    _require(project, acting_user)
    number = _next_number(project)
    token = new_session_token()
    session = Session(
        id=new_id(),
        project=project,
        number=number,
        owner=owner,
        key=new_key(),
        base_commit=_commit(project, request),
        profile=profile_by_name(request.profile) if request.profile else None,
        image=request.image,
        idle_seconds=request.idle_seconds,
        life_seconds=request.life_seconds,
        records_commands=policy_of(project).records_commands,
        token_digest=token_digest(token),
    )
    secrets = run_secrets(project, plain := _plain(session), token)
    session.workload = _workload(session, session.base_commit, plain, secrets, token, acting_user)
    check_fields(session)
    session.save(force_insert=True)
    _note_start(session, 1, secrets.names, acting_user)
    audit(session, AuditAction.SESSION_STARTED, acting_user, after={**_facts(session), "commit": session.base_commit})
    # Last: a database that is rolled back does not roll back Git.
    repository.make_branch(session, session.base_commit)
    return session


@transaction.atomic
def resume_session(session: Session, *, acting_user: Actor) -> Session:
    """Start it again with what it saved. Only its owner can, as it works with their rights.

    Raises Conflict while it runs, or for somebody else's; QuotaExceeded, PermissionRefused.
    """
    _require(session.project, acting_user)
    session = (
        Session.objects.select_for_update(of=("self",)).select_related("project__workspace", "owner").get(pk=session.pk)
    )
    if session.owner_id != acting_user.require_user().pk:
        raise Conflict(
            f"It is the session of {session.owner.username}, and works with their rights.",
            remedy="Merge its branch if you need what is in it, and start a session of your own.",
        )
    if not session.is_over:
        raise Conflict("The session runs.", remedy="Open it.")
    stand = repository.standing(session)
    token = new_session_token()
    session.records_commands = policy_of(session.project).records_commands
    secrets = run_secrets(session.project, plain := _plain(session), token)
    commit = stand.saved or stand.branch or session.base_commit
    session.workload = _workload(session, commit, plain, secrets, token, acting_user)
    session.token_digest, session.token_died_at = token_digest(token), None
    session.ready_at = session.beat_at = session.active_at = None
    session.is_busy, session.kernels, session.terminals, session.ending = False, 0, 0, ""
    session.save()
    started = SessionStart.objects.filter(session=session).count() + 1
    _note_start(session, started, secrets.names, acting_user)
    audit(session, AuditAction.SESSION_RESUMED, acting_user, after={**_facts(session), "start": started})
    return session


def _require(project: Project, acting_user: Actor) -> None:
    authorize(acting_user, Permission.RUN_START, project)
    authorize(acting_user, Permission.PROJECT_EDIT, project)
    if not can_run():
        raise Conflict(
            "All hosts of this installation are swarms. What is written in one of their tasks goes with it, so no "
            "session runs there.",
            remedy=NEEDS_A_HOST,
        )


def _next_number(project: Project) -> int:
    """The next number in the project, whose row stays locked until the caller commits."""
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    last: int | None = Session.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    number = (last or 0) + 1
    # One that was rolled back, or a person, may have left a branch of that name.
    while repository.tip(project, f"refs/heads/session/{number}"):
        number += 1
    return number


def _commit(project: Project, request: SessionRequest) -> str:
    wanted = request.commit
    if request.branch and not wanted:
        found = repository.tip(project, f"refs/heads/{request.branch}") if _is_plain(request.branch) else None
        if found is None:
            raise Conflict(
                f"The project has no branch {request.branch[:60]!r}.", remedy="Choose another one.", field="branch"
            )
        return found
    return source.check_commit(project, wanted or None)


def _is_plain(branch: str) -> bool:
    return all(c.isalnum() or c in "._-/" for c in branch) and ".." not in branch


def _plain(session: Session) -> dict[str, str]:
    author = author_of(Actor.person(session.owner))
    return lab.plain_variables(session, author.name, author.email)


def _workload(
    session: Session, commit: str, plain: Mapping[str, str], secrets: RunSecrets, token: str, acting_user: Actor
) -> Workload:
    project = session.project
    size = session.profile or _usual(project.workspace)
    check_quota(project.workspace, size)
    image = check_image(session.image)
    snapshot: Snapshot = read_snapshot(project, commit)
    return compute.create_workload(
        kind=Workload.Kind.SESSION,
        name=f"{project.name}/{session}",
        command=lab.COMMAND,
        cpu=size.cpu,
        memory_bytes=size.memory_bytes,
        gpus=size.gpus,
        labels=size.labels,
        timeout_seconds=session.life_seconds,
        grace_seconds=lab.GRACE_SECONDS,
        image=image,
        environment_request=None
        if image
        else compute.request_environment(
            requirements=snapshot.requirements, kind=snapshot.kind, additions=lab.ADDITIONS, acting_user=acting_user
        ),
        variables=plain,
        secret_variables={**secrets.variables, "MODELWRIGHT_SESSION_TOKEN": token},
        secret_files=secrets.files,
        masked=secrets.masked,
        workspace_id=project.workspace_id,
        project_id=project.pk,
        acting_user=acting_user,
    )


def _usual(workspace: Workspace) -> ResourceProfile:
    allowed = allowed_profiles(workspace)
    usual = allowed.filter(name=DEFAULT_PROFILE).first() or allowed.first()
    if usual is None:
        raise Conflict("There is no size.", remedy="Have an administrator make one.")
    return usual


def _note_start(session: Session, number: int, names: Sequence[str], acting_user: Actor) -> None:
    SessionStart.objects.create(
        session=session,
        number=number,
        workload=session.workload,
        started_by=acting_user.name,
        address=acting_user.address,
    )
    record_reads(
        session.project,
        names,
        workload=session.workload,
        subject=Subject("session", session.pk, str(session)),
        attempt=number,
        acting_user=acting_user,
    )


def _facts(session: Session) -> dict[str, object]:
    return {
        "branch": session.branch,
        "profile": session.profile.name if session.profile else None,
        "image": session.image or None,
        "idle_seconds": session.idle_seconds,
        "life_seconds": session.life_seconds,
        "records_commands": session.records_commands,
    }
