"""From the pages into a session: who gets a ticket, that the proxy takes it, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from modelwright.accounts import services as accounts
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import Workload
from projects.models import Project
from sessions import minding, table
from sessions.entering import minding as entering
from sessions.entering.models import Admission
from sessions.models import Session
from sessions.services import SessionRequest, start_session
from tests.gateway.processes import wait_for
from tests.sessions.proxying import Proxy, Upstream, cookie_of

pytestmark = pytest.mark.django_db
OWN_LINK = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def session(project: Project, ann: User) -> Session:
    """A session of ann whose Lab answers, as far as the rows say."""
    made = start_session(project, SessionRequest(), acting_user=Actor.person(ann))
    Workload.objects.filter(pk=made.workload_id).update(state="running", fence=1, started_at=timezone.now())
    Session.objects.filter(pk=made.pk).update(ready_at=timezone.now())
    made.refresh_from_db()
    return made


class TestAsking:
    def test_a_link_of_the_pages_leads_in_and_is_on_record(
        self, session: Session, ann: User, browser_client: Callable[[User], Client]
    ) -> None:
        answer = browser_client(ann).get(f"/sessions/{session.pk}/enter/", headers=OWN_LINK)
        assert answer.status_code == 302
        place = urlsplit(answer["Location"])
        assert place.hostname == f"{session.key}.localhost"
        assert place.path == "/_enter"
        assert answer["Cache-Control"].startswith("max-age=0")
        row = AuditEvent.objects.get(action="session.entered")
        assert row.actor_name == "ann"
        assert row.target_id == str(session.pk)
        assert Admission.objects.get().user == ann

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, {"Sec-Fetch-Site": "none"}],
        ids=str,
    )
    def test_a_link_of_anybody_else_leads_to_a_question(
        self, session: Session, ann: User, browser_client: Callable[[User], Client], headers: dict[str, str]
    ) -> None:
        client = browser_client(ann)
        answer = client.get(f"/sessions/{session.pk}/enter/", headers=headers)
        assert answer.status_code == 200
        assert "form-action 'self' http://*.localhost:8002" in answer["Content-Security-Policy"]
        assert not AuditEvent.objects.filter(action="session.entered").exists()
        assert client.post(f"/sessions/{session.pk}/enter/").status_code == 302

    def test_another_member_is_told_why_not_and_a_stranger_nothing(
        self, session: Session, ben: User, stranger: User, browser_client: Callable[[User], Client]
    ) -> None:
        client = browser_client(ben)
        page = client.get(f"/sessions/{session.pk}/enter/", headers=OWN_LINK)
        assert page.status_code == 200
        assert "only they may enter it" in page.content.decode()
        assert client.post(f"/sessions/{session.pk}/enter/").status_code == 409
        assert browser_client(stranger).get(f"/sessions/{session.pk}/enter/").status_code == 404
        assert browser_client(stranger).post(f"/sessions/{session.pk}/enter/").status_code == 404
        assert not Admission.objects.exists()

    def test_what_has_ended_cannot_be_entered(
        self, session: Session, ann: User, browser_client: Callable[[User], Client]
    ) -> None:
        Workload.objects.filter(pk=session.workload_id).update(state="succeeded")
        client = browser_client(ann)
        assert "has ended" in client.get(f"/sessions/{session.pk}/enter/", headers=OWN_LINK).content.decode()
        assert client.post(f"/sessions/{session.pk}/enter/").status_code == 409


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    process = Upstream(tmp_path)
    yield process
    process.stop()


@pytest.fixture
def proxy(tmp_path: Path, settings: Any) -> Iterator[Proxy]:
    """A proxy that reads what the watcher writes, with the key of the pages."""
    process = Proxy(tmp_path)
    settings.DATA_DIR = tmp_path
    settings.SESSIONS_KEY_FILE = str(tmp_path / "sessions-key")
    settings.SESSIONS_URL = f"http://*.localhost:{process.port}"
    yield process
    process.stop()


class TestThroughTheProxy:
    """One proxy for all of it: a start takes a second."""

    def test_in_and_out_again(
        self,
        session: Session,
        project: Project,
        ann: User,
        admin: User,
        proxy: Proxy,
        upstream: Upstream,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(minding, "address", lambda _: str(upstream.socket))

        def tick() -> None:
            minding.publish()
            entering.publish()

        def come_in(client: Client) -> str:
            place = urlsplit(client.get(f"/sessions/{session.pk}/enter/", headers=OWN_LINK)["Location"])
            tick()
            wait_for(lambda: proxy.state()["entries"] == 1)
            answer = proxy.ask(f"{place.path}?{place.query}", key=session.key)
            assert answer.status == 200, answer.text
            assert proxy.ask(f"{place.path}?{place.query}", key=session.key).status == 403
            return cookie_of(answer)

        def is_in(cookie: str) -> bool:
            try:
                return proxy.ask("/lab", key=session.key, cookie=cookie).status == 200
            except ConnectionError:
                return False  # Broken off on its way.

        def soon_out(cookie: str) -> None:
            tick()
            proxy.catch_up()
            assert not is_in(cookie)

        first, second = Client(), Client()
        for client in (first, second):
            client.force_login(ann)
        one, two = come_in(first), come_in(second)
        assert is_in(one)
        assert is_in(two)
        # One browser signs out; the other stays.
        first.post("/logout/")
        soon_out(one)
        assert is_in(two)
        # Another password ends all logins.
        accounts.reset_password(ann, new="another battery staple", acting_user=Actor.person(admin))
        soon_out(two)
        assert not Admission.objects.exists()
        # Who may not work in the project any more is out, though signed in.
        ann.refresh_from_db()
        third = Client()
        third.force_login(ann)
        three = come_in(third)
        project.memberships.filter(user=ann).update(role="viewer")
        soon_out(three)
        assert table.read(table.table_path(proxy.directory))[session.key].users == frozenset()
