"""Applications: made, started by the watcher as real processes, started again when they end, shown, stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import environment_results, handing_in, watcher
from modelwright.compute.models import Workload
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from projects import source
from projects.models import Project, ProjectMembership
from sessions import minding as sessions
from sessions.applications import minding, services
from sessions.applications.models import Application
from sessions.applications.routing import entries
from sessions.applications.selectors import people_of
from sessions.applications.services import ApplicationRequest
from sessions.applications.starting import begin
from sessions.entering import minding as entering
from tests.gateway.processes import wait_for
from tests.sessions.proxying import Proxy, cookie_of

OWN_LINK = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(9)
        body = f"hello {self.headers.get('X-Modelwright-User')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["CDSW_APP_PORT"])), Handler).serve_forever()
"""
ENDING = "raise SystemExit(3)\n"
pytestmark = pytest.mark.django_db


def is_closed(proxy: Proxy, key: str) -> bool:
    """Whether nobody gets in any more; an answer on its way at that moment is broken off."""
    with suppress(ConnectionError):
        return proxy.ask("/", key=key).status == 401
    return False


def request(**changes: Any) -> ApplicationRequest:
    return ApplicationRequest(**{"name": "hello", "command": "app.py", **changes})


class TestWriting:
    def test_it_is_made_stopped_started_and_deleted_on_record(self, project: Project, ann: User) -> None:
        acting = Actor.person(ann)
        made = services.create_application(project, request(), acting_user=acting)
        assert (made.health, made.is_wanted, made.is_public) == ("starting", True, False)
        with pytest.raises(Conflict):
            services.create_application(project, request(), acting_user=acting)
        assert services.stop_application(made, acting_user=acting).health == "stopped"
        with pytest.raises(Conflict):
            services.stop_application(made, acting_user=acting)
        assert services.start_application(made, acting_user=acting).is_wanted
        services.delete_application(made, acting_user=acting)
        actions = AuditEvent.objects.filter(target_id=str(made.pk)).order_by("id").values_list("action", flat=True)
        assert list(actions) == [
            "application.created",
            "application.stopped",
            "application.started",
            "application.deleted",
        ]
        # Its name is free again.
        services.create_application(project, request(), acting_user=acting)

    @pytest.mark.parametrize("command", ["", "  ", "'open", "app.py {socket}", "a\0b"])
    def test_a_command_that_is_none_is_refused(self, project: Project, ann: User, command: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            services.create_application(project, request(command=command), acting_user=Actor.person(ann))
        assert caught.value.remedy

    def test_only_an_administrator_of_the_workspace_lets_in_everybody(
        self, project: Project, ann: User, admin: User
    ) -> None:
        made = services.create_application(project, request(), acting_user=Actor.person(ann))
        with pytest.raises(PermissionRefused):
            services.set_public(made, is_public=True, acting_user=Actor.person(ann))
        assert services.set_public(made, is_public=True, acting_user=Actor.person(admin)).is_public
        row = AuditEvent.objects.get(action="application.shown")
        assert (row.before, row.after) == ({"is_public": False}, {"is_public": True})

    def test_the_page_asks_before_it_lets_in_everybody(
        self, project: Project, ann: User, admin: User, client: Client
    ) -> None:
        made = services.create_application(project, request(), acting_user=Actor.person(ann))
        client.force_login(admin)
        address = f"/applications/{made.pk}/visibility/"
        assert f'action="{address}"' not in client.get(f"/applications/{made.pk}/").content.decode()
        question = client.get(address).content.decode()
        assert "gets in without signing in" in question
        assert 'name="is_public" value="yes"' in question
        assert not fresh(made).is_public
        client.post(address, {"is_public": "yes"})
        assert fresh(made).is_public
        shown = client.get(f"/applications/{made.pk}/").content.decode()
        assert "Let in only people of the project" in shown

    def test_who_may_ask_endpoints_gets_in(self, project: Project, ann: User, ben: User, stranger: User) -> None:
        assert {str(ann.pk), str(ben.pk)} <= people_of(project)
        assert str(stranger.pk) not in people_of(project)
        ben.is_active = False
        ben.save()
        assert str(ben.pk) not in people_of(project)

    def test_viewers_get_in_where_an_administrator_of_the_project_says_so(
        self, project: Project, ann: User, ben: User, stranger: User, client: Client
    ) -> None:
        made = services.create_application(project, request(), acting_user=Actor.person(ann))
        process = begin(made, acting_user=Actor.system("tests"))
        assert process is not None
        assert process.kind == "application"
        Workload.objects.filter(pk=process.pk).update(state="running", fence=1, started_at=timezone.now())
        Application.objects.filter(pk=made.pk).update(ready_at=timezone.now(), answers=True)
        ProjectMembership.objects.filter(user=ben).update(role="viewer")
        client.force_login(ben)
        enter = f"/applications/{made.pk}/enter/"
        assert client.post(enter).status_code == 403
        assert 'action="/applications' not in client.get(f"/applications/{made.pk}/").content.decode()
        [entry] = entries()
        assert (str(ann.pk) in entry.users, str(ben.pk) in entry.users) == (True, False)
        with pytest.raises(PermissionRefused):
            services.let_viewers_in(fresh(made), lets_viewers_in=True, acting_user=Actor.person(ann))
        ProjectMembership.objects.filter(user=ann).update(role="admin")
        client.force_login(ann)
        page = client.post(f"/applications/{made.pk}/viewers/", {"lets_viewers_in": "yes"}, follow=True)
        assert "All members of the project, viewers too" in page.content.decode()
        row = AuditEvent.objects.get(action="application.shown")
        assert (row.before, row.after) == ({"lets_viewers_in": False}, {"lets_viewers_in": True})
        client.force_login(ben)
        assert client.post(enter).status_code == 302
        [entry] = entries()
        assert {str(ann.pk), str(ben.pk)} <= entry.users
        assert str(stranger.pk) not in entry.users

    def test_the_console_tells_applications_from_sessions(
        self, project: Project, ann: User, admin: User, client: Client
    ) -> None:
        made = services.create_application(project, request(), acting_user=Actor.person(ann))
        process = begin(made, acting_user=Actor.system("tests"))
        assert process is not None
        client.force_login(admin)
        listed = {
            kind: [one["id"] for one in client.get(f"/api/v1/workloads/?kind={kind}").json()["results"]]
            for kind in ("application", "session")
        }
        assert listed == {"application": [str(process.pk)], "session": []}
        page = client.get("/workloads/?kind=application").content.decode()
        assert '<option value="application" selected>Application</option>' in page
        assert f"{project.name}/{made.name}" in page


def test_pauses_grow_and_have_an_end() -> None:
    assert [minding.delay_after(n) for n in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 8.0]
    assert minding.delay_after(1000) == minding.LONGEST_DELAY


@pytest.fixture
def running(project: Project) -> Iterator[None]:
    """Whatever the test started has ended after it."""
    yield
    for application in Application.objects.filter(is_wanted=True):
        with suppress(Conflict):
            services.stop_application(application, acting_user=Actor.system("tests"))
    until(lambda: not any(one.is_live for one in Application.objects.select_related("workload")))


def turn() -> None:
    """Each loop once."""
    minding.tick()
    watcher.tick()
    handing_in.tick_others()
    environment_results.collect()
    sessions.publish()
    sessions.collect()
    entering.publish()


def until(condition: Callable[[], object]) -> None:
    """Turn the loops until it holds."""

    def look() -> object:
        turn()
        return condition()

    wait_for(look, seconds=90, what="the application")


def fresh(application: Application) -> Application:
    return Application.objects.select_related("workload__host", "project__workspace").get(pk=application.pk)


def commit(project: Project, code: str) -> None:
    source.commit_files(
        project,
        {"app.py": code.encode(), "requirements.txt": None},
        message="App",
        author=source.Author("Tests", "tests@localhost"),
        expected_head=source.head(project),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.usefixtures("running")
def test_it_runs_is_entered_is_started_again_when_killed_and_is_stopped(
    project: Project, ann: User, admin: User, stranger: User, proxy: Proxy
) -> None:
    commit(project, SERVER)
    made = services.create_application(project, request(), acting_user=Actor.person(ann))
    until(lambda: fresh(made).health == "running")
    # People of the project come in from the pages, nobody else.
    client = Client()
    client.force_login(ann)
    place = urlsplit(client.get(f"/applications/{made.pk}/enter/", headers=OWN_LINK)["Location"])
    turn()
    wait_for(lambda: proxy.ask("/", key=made.key).status == 401)
    cookie = cookie_of(proxy.ask(f"{place.path}?{place.query}", key=made.key))
    assert proxy.ask("/", key=made.key, cookie=cookie).text == f"hello {ann.pk}"
    outside = Client()
    outside.force_login(stranger)
    assert outside.get(f"/applications/{made.pk}/enter/", headers=OWN_LINK).status_code == 404
    # Everybody gets in where an administrator says so.
    services.set_public(made, is_public=True, acting_user=Actor.person(admin))
    turn()
    wait_for(lambda: proxy.ask("/", key=made.key).text == "hello None")
    services.set_public(made, is_public=False, acting_user=Actor.person(admin))
    turn()
    wait_for(lambda: is_closed(proxy, made.key))
    # It is killed, and comes back by itself; the cookie is good still.
    before = fresh(made).workload
    assert before is not None
    with suppress(ConnectionError):
        proxy.ask("/die", key=made.key, cookie=cookie)
    until(lambda: fresh(made).workload_id != before.pk and fresh(made).health == "running")
    wait_for(lambda: proxy.ask("/", key=made.key, cookie=cookie).status == 200)
    services.stop_application(made, acting_user=Actor.person(ann))
    until(lambda: not fresh(made).is_live)
    assert entries() == []
    turn()
    wait_for(lambda: proxy.ask("/", key=made.key, cookie=cookie).status == 404)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.usefixtures("running")
def test_what_ends_at_once_waits_longer_each_time(project: Project, ann: User) -> None:
    commit(project, ENDING)
    made = services.create_application(project, request(), acting_user=Actor.person(ann))
    until(lambda: fresh(made).failures >= 2 and fresh(made).starts_at)
    found = fresh(made)
    assert found.health == "failed"
    assert found.starts_at is not None
    assert found.starts_at > timezone.now()
    page = Client()
    page.force_login(ann)
    assert "starts again" in page.get(f"/applications/{made.pk}/").content.decode()
