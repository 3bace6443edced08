"""Sessions of the matrix's project: one that waits, one that runs with work in it, and one that is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from projects import source
from projects.models import Project
from projects.source.git import run
from sessions import repository
from sessions.applications.models import Application
from sessions.applications.services import ApplicationRequest, create_application
from sessions.models import Session, SessionCommand, SessionRead, SessionSample
from sessions.services import SessionRequest, note_ended, request_stop, start_session

SYSTEM = Actor.system("tests")
_AUTHOR = source.Author("tests", "tests@example.org")


def add_sessions(project: Project, owner: User, admin: User) -> tuple[dict[str, Any], dict[Path, str]]:
    """What the addresses of sessions name, and the references that asking moves, with what they hold."""
    live, ended = (start_session(project, SessionRequest(), acting_user=Actor.person(one)) for one in (owner, admin))
    _work_in(live)
    request_stop(ended, acting_user=SYSTEM)
    ended.workload.refresh_from_db()
    note_ended(ended, acting_user=SYSTEM)
    folder = source.repository_path(project)
    names = [repository.branch_ref(live), live.saved_ref, repository.branch_ref(ended)]
    held = {folder / name: str(repository.tip(project, name)) for name in names}
    application = _application(project, live)
    values = {"session_id": live.pk, "ended_session_id": ended.pk, "git_id": live.pk, "application_id": application.pk}
    return values, held


def _application(project: Project, session: Session) -> Application:
    """One that answers. Its workload is one of a session that is resumed no more."""
    made = create_application(project, ApplicationRequest("view", "app.py"), acting_user=Actor.person(session.owner))
    workload = start_session(project, SessionRequest(), acting_user=Actor.person(session.owner)).workload
    Session.objects.filter(workload=workload).update(deleted_at=timezone.now())
    Workload.objects.filter(pk=workload.pk).update(state="running", fence=2, started_at=timezone.now())
    Application.objects.filter(pk=made.pk).update(workload=workload, ready_at=timezone.now(), answers=True)
    return made


def _work_in(session: Session) -> None:
    """As its process would: a commit on its branch, something saved, and what it says of itself."""
    project = session.project
    committed = _written(session, b"one")
    repository.point(project, repository.branch_ref(session), committed, session.base_commit)
    run(source.repository_path(project), ["update-ref", session.saved_ref, _written(session, b"two")])
    now = timezone.now()
    Workload.objects.filter(pk=session.workload_id).update(state="running", fence=1, started_at=now)
    Session.objects.filter(pk=session.pk).update(
        ready_at=now, active_at=now, saved_at=now, packages=["six==1.17.0"], records_commands=True
    )
    SessionCommand.objects.create(
        session=session, workload=session.workload, offset=0, kind=SessionCommand.Kind.CELL, at=now, text="1 + 1"
    )
    SessionRead.objects.create(
        session=session, workload=session.workload, offset=0, at=now, connection="lake", kind="s3", what="a.csv"
    )
    SessionSample.objects.create(
        session=session, workload=session.workload, at=now, cpu_seconds=1.0, memory_bytes=2**20, processes=2
    )


def _written(session: Session, content: bytes) -> str:
    return source.write_commit(
        session.project,
        {"session.txt": content},
        message="Work",
        author=_AUTHOR,
        expected_head=session.base_commit,
    )
