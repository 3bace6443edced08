"""Sessions and applications in containers: used through the proxy, saved, stopped, killed, and shut in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.layout import socket_path, work_folder
from modelwright.compute.selectors import log_tail
from projects import source
from projects.models import Project
from sessions.applications import minding, services
from sessions.applications.models import Application
from sessions.models import Session
from sessions.services import SessionRequest, commit_saved, request_stop, resume_session, start_session
from sessions.viewing import changes_of
from tests import engine
from tests.compute.kinds import KeeperKind
from tests.gateway.processes import wait_for
from tests.sessions.conftest import Start, come_in, run_through, wait_ready
from tests.sessions.containers import Way, container_host, ready_image
from tests.sessions.labs import fresh, turn, turn_until
from tests.sessions.proxying import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def keeper(web: str, settings: Any) -> Iterator[KeeperKind]:
    """A keeper of this host."""
    with container_host(settings, web) as kind:
        yield kind


@pytest.fixture
def host_of_labs(keeper: KeeperKind) -> None:
    """In place of a host with processes."""
    ready_image()


def changed(session: Session) -> list[str]:
    return [one["path"] for one in changes_of(fresh(session))["files"]]


def tree_of(session: Session) -> Path:
    work = work_folder(fresh(session).workload)
    assert work is not None
    return work / "churn"


def container_of(keeper: KeeperKind, session: Session) -> Any:
    return keeper.client.containers.get(f"{keeper.parameters['instance']}-{fresh(session).workload.key_name}")


def test_work_in_a_container_is_saved_committed_and_there_after_a_stop_and_after_a_kill(
    start: Start, ann: User, keeper: KeeperKind, proxy: Proxy, web: str
) -> None:
    acting = Actor.person(ann)
    session = start(ann)
    cookie = come_in(proxy, session, ann)
    # A kernel, by HTTP and WebSocket through the proxy; the platform is at hand in it, as the person's own.
    code = "import os, six\nfrom modelwright_runtime import client\n"
    code += "print(six.__version__, client.runs(), os.environ['MLFLOW_TRACKING_URI'], os.getcwd())\n"
    code += "open('notes.md', 'w').write('two\\n')"
    assert run_through(proxy, session, cookie, code) == f"1.17.0 [] {web}/mlflow {tree_of(session)}\n"
    turn_until(lambda: changed(session) == ["notes.md"], lambda: log_tail(fresh(session).workload))
    turn_until(lambda: fresh(session).kernels == 1)
    # Committed on its page, and the tree in the container follows.
    commit = commit_saved(session, message="Two", acting_user=acting)
    turn_until(lambda: (tree_of(session) / ".git/refs/heads/session/1").read_text().strip() == commit)
    # Stopped in the middle of work: the last words are saved, and the container is gone.
    run_through(proxy, session, cookie, "open('draft.py', 'w').write('print(1)\\n')")
    request_stop(fresh(session), acting_user=acting)
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert (fresh(session).state, changed(session)) == ("cancelled", ["draft.py"])
    turn_until(lambda: not keeper.names())
    # Resumed, and killed: what was saved is there, and the page says what happened.
    wait_ready(resume_session(fresh(session), acting_user=acting))
    assert (tree_of(session) / "draft.py").read_text() == "print(1)\n"
    (tree_of(session) / "precious.py").write_text("x = 1\n")
    turn_until(lambda: changed(session) == ["draft.py", "precious.py"])
    container_of(keeper, session).kill()
    turn_until(lambda: fresh(session).workload.collected_at is not None)
    assert fresh(session).state == "lost"
    assert "killed from outside" in fresh(session).workload.detail
    assert changed(session) == ["draft.py", "precious.py"]
    assert fresh(session).token_died_at is not None


BREAKS_OUT = """
import json, os, pathlib, socket, subprocess
found = {}
def attempt(name, step):
    try:
        found[name] = str(step() or "ALLOWED")
    except Exception as error:
        found[name] = type(error).__name__
def connect(path):
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
given = json.loads(%r)
for path in given["paths"]:
    attempt(path, lambda: os.stat(path))
for path in given["sockets"]:
    attempt("connect " + path, lambda: connect(path))
for port in given["ports"]:
    for address in ("127.0.0.1", "172.17.0.1"):
        attempt(f"{address}:{port}", lambda: socket.create_connection((address, port), timeout=3))
attempt("another session's tree", lambda: os.listdir(given["tree"]))
attempt("write to the environment", lambda: open(os.path.dirname(json.__file__) + "/x", "w"))
attempt("write to the root", lambda: open("/x", "w"))
attempt("become root", lambda: os.setuid(0))
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
found["capabilities"] = "Error" if int(status["CapEff"], 16) == 0 else status["CapEff"]
print(json.dumps(found))
"""


def test_who_works_in_one_session_reaches_no_other_and_nothing_of_the_platform(
    start: Start, ann: User, ben: User, keeper: KeeperKind, proxy: Proxy
) -> None:
    mine, other = start(ann), start(ben)
    cookie = come_in(proxy, mine, ann)
    data = Path(django_settings.DATA_DIR)
    database = Path(connection.settings_dict["HOST"])
    theirs = socket_path(fresh(other).workload.key_name)
    assert theirs.is_socket()
    given = {
        "paths": [str(data / name) for name in ("repositories", "blobs", "secrets", "sessions", "keeper.sock")],
        "sockets": [str(theirs), "/var/run/docker.sock", str(database / ".s.PGSQL.5432"), str(data / "keeper.sock")],
        "ports": [proxy.port, 5432, 6379],
        "tree": str(tree_of(other)),
    }
    found = json.loads(run_through(proxy, mine, cookie, BREAKS_OUT % json.dumps(given)))
    assert len(found) == 20
    assert [name for name, value in found.items() if not value.endswith("Error")] == [], found
    # The token that the session works with stands in no description of its container.
    described = json.dumps(container_of(keeper, mine).attrs)
    assert "mws_" not in described
    mounts = {mount["Destination"]: mount["RW"] for mount in container_of(keeper, mine).attrs["Mounts"]}
    writable = {path for path, is_writable in mounts.items() if is_writable}
    own = {str(tree_of(mine).parent), str(socket_path(fresh(mine).workload.key_name).parent)}
    assert own < writable
    assert {Path(path).name for path in writable - own} <= {"ending.json", "root"}


def test_nothing_saved_is_lost_with_the_engine_and_the_page_says_that_it_is_gone(
    web: str, settings: Any, ann: User, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine.require_engine()
    way = Way(tmp_path_factory.mktemp("way") / "engine.sock")
    options = ("--engine", f"unix://{way.path}", "--patience", "3")
    with container_host(settings, web, *options):
        ready_image()
        session = wait_ready(start_session(project, SessionRequest(), acting_user=Actor.person(ann)))
        (tree_of(session) / "precious.py").write_text("x = 1\n")
        turn_until(lambda: changed(session) == ["precious.py"])
        way.cut()
        turn_until(lambda: fresh(session).workload.collected_at is not None)
        assert fresh(session).state == "lost"
        assert "engine of its host has not answered for 3 seconds" in fresh(session).workload.detail
        assert changed(session) == ["precious.py"]
        assert commit_saved(fresh(session), message="Precious", acting_user=Actor.person(ann))


def test_a_ready_image_without_jupyterlab_says_what_is_missing(
    web: str, settings: Any, ann: User, project: Project
) -> None:
    engine.require_engine()
    settings.IMAGES = [engine.BASE_IMAGE]
    with container_host(settings, web, "--allow-image", engine.BASE_IMAGE):
        session = start_session(project, SessionRequest(image=engine.BASE_IMAGE), acting_user=Actor.person(ann))
        assert session.workload.environment_request is None
        turn_until(lambda: fresh(session).is_over)
        assert fresh(session).state == "failed"
        assert "there is no JupyterLab" in log_tail(fresh(session).workload)


SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {os.getuid() == 0} {os.environ['MODELWRIGHT_GATEWAY_URL']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_an_application_runs_in_a_container_answers_and_stops(
    keeper: KeeperKind, settings: Any, ann: User, admin: User, project: Project, proxy: Proxy
) -> None:
    settings.GATEWAY_URL = "http://127.0.0.1:8001"
    # As on a host that joined, which reaches the gateway elsewhere.
    settings.HOST_GATEWAY_URL = "http://10.0.0.5:8009"
    ready_image("")
    source.commit_files(
        project,
        {"app.py": SERVER.encode(), "requirements.txt": None},
        message="App",
        author=source.Author("Tests", "tests@localhost"),
        expected_head=source.head(project),
    )
    made = services.create_application(
        project, services.ApplicationRequest("hello", "app.py"), acting_user=Actor.person(ann)
    )
    services.set_public(made, is_public=True, acting_user=Actor.person(admin))

    def health() -> str:
        minding.tick()
        found = Application.objects.select_related("workload").get(pk=made.pk)
        return found.health

    turn_until(lambda: health() == "running")
    turn()
    # A bare address of a machine has none in a container but the container's own.
    expected = "hello False http://127.0.0.1:8009"
    wait_for(lambda: proxy.ask("/", key=made.key).text == expected, what="the application")
    (name,) = keeper.names()
    assert keeper.client.containers.get(name).attrs["HostConfig"]["NetworkMode"] == "none"
    services.stop_application(made, acting_user=Actor.person(ann))
    turn_until(lambda: not keeper.names() and health() == "stopped")
