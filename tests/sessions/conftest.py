"""Fixtures: a project with two people, a real web process, sessions that end with the test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_user
from modelwright.compute.models import GIB, ResourceProfile
from modelwright.compute.selectors import log_tail
from modelwright.core.errors import Conflict
from projects import source
from projects.models import Project
from sessions.entering import minding as entering
from sessions.models import Session
from sessions.services import SessionRequest, request_stop, start_session
from tests.conftest import PASSWORD
from tests.gateway.processes import wait_for
from tests.jobs.servers import Mlflow, web_running
from tests.models_support import make_project
from tests.sessions.kernels import run_cell_at
from tests.sessions.labs import REQUIREMENTS, fresh, ready_lab, turn, turn_until
from tests.sessions.proxying import COOKIE, Proxy, cookie_of

SYSTEM = Actor.system("tests")
FILES = {"requirements.txt": REQUIREMENTS, "notes.md": "one\n", ".gitignore": "ignored/\n"}
OWN_LINK = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
Start = Callable[..., Session]


@pytest.fixture
def ann(db: None) -> User:
    return create_user(username="ann", password=PASSWORD, acting_user=SYSTEM)


@pytest.fixture
def ben(db: None) -> User:
    return create_user(username="ben", password=PASSWORD, acting_user=SYSTEM)


@pytest.fixture
def project(ann: User, ben: User) -> Project:
    """A project with some files, in which ann and ben contribute."""
    for name, cpu, gib in (("small", 0.5, 1), ("medium", 1.0, 2)):
        ResourceProfile.objects.get_or_create(name=name, defaults={"cpu": cpu, "memory_bytes": gib * GIB})
    made = make_project("churn", ann="contributor", ben="contributor")
    source.init_repository(made)
    changes: dict[str, bytes | None] = {path: text.encode() for path, text in FILES.items()}
    author = source.Author("Tests", "tests@localhost")
    source.commit_files(made, changes, message="First", author=author, expected_head=None)
    return made


@pytest.fixture(scope="session")
def _web(django_db_setup: None) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mwl-") as name:
        folder = Path(name)
        # No test of these asks MLflow.
        nowhere = Mlflow(os.environ["MLFLOW_DATABASE_URL"], folder / "mlflow.sock", folder)
        with web_running(folder, nowhere) as url:
            yield url


@pytest.fixture
def web(_web: str, settings: Any, transactional_db: None) -> str:
    """The address of a real web process over the test database."""
    settings.WEB_URL = _web
    return _web


@pytest.fixture
def host_of_labs(web: str) -> None:
    """This host has the environment of sessions."""
    ready_lab()


@pytest.fixture
def start(host_of_labs: object, project: Project) -> Iterator[Start]:
    """Start a session of a person and wait until its Lab answers: `start(ann)`."""
    made: list[Session] = []

    def call(person: User, **asked: Any) -> Session:
        session = start_session(project, SessionRequest(**asked), acting_user=Actor.person(person))
        made.append(session)
        return wait_ready(session)

    yield call
    for session in made:
        with suppress(Conflict):
            request_stop(fresh(session), acting_user=SYSTEM)
        turn_until(partial(_is_over, session))


@pytest.fixture
def proxy(settings: Any, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy over the table that the loops write."""
    process = Proxy(tmp_path, "--data", str(django_settings.DATA_DIR))
    settings.SESSIONS_KEY_FILE = str(tmp_path / "sessions-key")
    settings.SESSIONS_URL = f"http://*.localhost:{process.port}"
    yield process
    process.stop()


def come_in(proxy: Proxy, session: Session, person: User, loops: Callable[[], object] = turn) -> str:
    """Enter from the pages: the cookie. `loops` write the proxy's table."""
    client = Client()
    client.force_login(person)
    place = urlsplit(client.get(f"/sessions/{session.pk}/enter/", headers=OWN_LINK)["Location"])
    loops()
    entering.publish()
    wait_for(lambda: proxy.ask("/", key=session.key).status == 401, what="the session in the proxy's table")
    answer = proxy.ask(f"{place.path}?{place.query}", key=session.key)
    assert answer.status == 200, answer.text
    cookie = cookie_of(answer)
    # The table that the proxy has read last may say that it starts.
    wait_for(lambda: proxy.ask("/", key=session.key, cookie=cookie).status != 503, what="the session's page")
    return cookie


def run_through(proxy: Proxy, session: Session, cookie: str, code: str) -> str:
    """What a cell prints that a page of the session runs, by way of the proxy."""
    origin = proxy.origin(session.key)
    headers = {"Host": proxy.host(session.key), "Origin": origin, "Sec-Fetch-Site": "same-origin"}
    cookies = {COOKIE: cookie.partition("=")[2]}
    return run_cell_at(f"http://127.0.0.1:{proxy.port}", headers, cookies, code)


def _is_over(session: Session) -> bool:
    return fresh(session).is_over


def wait_ready(session: Session) -> Session:
    """Turn the loops until its Lab answers."""
    turn_until(lambda: fresh(session).is_ready or fresh(session).is_over, lambda: log_tail(fresh(session).workload))
    found = fresh(session)
    assert found.is_ready, (found.state, found.workload.detail, log_tail(found.workload))
    return found
