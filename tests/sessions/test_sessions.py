"""Sessions as rows: who may start, see and end them, what their token opens, what is merged. Nothing runs."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.tracking.allowlist import Access
from jobs.tracking.identity import NotAuthenticated
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Host, Workload
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from projects import source
from projects.models import Project, ProjectMembership
from projects.source.git import run
from sessions import lab, minding, repository, table
from sessions.authentication import tracking_identity
from sessions.models import Session, SessionCommand, SessionSample
from sessions.selectors import session_of_token
from sessions.services import (
    Beat,
    Command,
    Read,
    SessionRequest,
    commit_saved,
    delete_session,
    merge_branch,
    note_beat,
    note_commands,
    note_reads,
    request_stop,
    resume_session,
    set_policy,
    start_session,
    want_packages,
)
from sessions.tokens import new_session_token
from tests.sessions.labs import fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(project: Project, ann: User) -> Session:
    return start_session(project, SessionRequest(), acting_user=Actor.person(ann))


def live(session: Session) -> str:
    """As if its process ran; its token."""
    token = new_session_token()
    Workload.objects.filter(pk=session.workload_id).update(state="running", fence=1, started_at=timezone.now())
    Session.objects.filter(pk=session.pk).update(token_digest=token_digest(token))
    return token


def over(session: Session) -> None:
    request_stop(fresh(session), acting_user=Actor.system("tests"))


def write(session: Session, onto: str, **files: str) -> str:
    changes: dict[str, bytes | None] = {f"{name}.md": text.encode() for name, text in files.items()}
    author = source.Author("Ann", "ann@localhost")
    head = source.head(session.project)
    made = source.write_commit(session.project, changes, message="Work", author=author, expected_head=head)
    if onto:
        run(source.repository_path(session.project), ["update-ref", onto, made])
    return made


def test_a_session_has_a_branch_a_workload_with_lab_and_a_token_that_only_it_knows(session: Session) -> None:
    assert repository.tip(session.project, "refs/heads/session/1") == source.head(session.project)
    workload = session.workload
    assert (workload.kind, workload.timeout_seconds, workload.spec["command"]) == ("session", 86400, list(lab.COMMAND))
    request = workload.environment_request
    assert request is not None
    assert [line for line in request.requirements.splitlines() if "==" in line] == ["six==1.17.0", *lab.ADDITIONS]
    assert "TOKEN" not in " ".join(workload.spec["environment"])


def test_each_person_and_each_start_has_a_branch_of_its_own(project: Project, ann: User, ben: User) -> None:
    made = [start_session(project, SessionRequest(), acting_user=Actor.person(who)) for who in (ann, ben, ann)]
    assert [one.branch for one in made] == ["session/1", "session/2", "session/3"]
    assert len({one.key for one in made}) == 3


def test_it_starts_at_another_branch_or_commit(project: Project, ann: User, session: Session) -> None:
    other = write(session, "refs/heads/idea", idea="x")
    acting = Actor.person(ann)
    assert start_session(project, SessionRequest(branch="idea"), acting_user=acting).base_commit == other
    assert start_session(project, SessionRequest(commit=other), acting_user=acting).base_commit == other
    for branch in ("gone", "../../etc", "a..b"):
        with pytest.raises(Conflict, match="no branch"):
            start_session(project, SessionRequest(branch=branch), acting_user=acting)


def test_a_viewer_starts_none_and_a_swarm_runs_none(project: Project, ann: User, ben: User) -> None:
    ProjectMembership.objects.filter(user=ben).update(role="operator")
    with pytest.raises(PermissionRefused):
        start_session(project, SessionRequest(), acting_user=Actor.person(ben))
    Host.objects.create(name="swarm", backend="swarm", cpu=4, memory_bytes=2**34)
    with pytest.raises(Conflict, match="swarms") as refused:
        start_session(project, SessionRequest(), acting_user=Actor.person(ann))
    assert "Hosts → Add a host" in refused.value.remedy
    assert "`--backend docker`" in refused.value.remedy
    Host.objects.create(name="boxed", backend="docker", cpu=4, memory_bytes=2**34)
    assert start_session(project, SessionRequest(), acting_user=Actor.person(ann)).state == "queued"


def test_where_all_hosts_are_swarms_the_page_says_what_to_do_to_whoever_can(
    project: Project, ann: User, admin: User, browser_client: Callable[[User], Client]
) -> None:
    sessions = f"/projects/{project.pk}/sessions/"
    applications = f"/projects/{project.pk}/applications/"
    Host.objects.create(name="swarm", backend="swarm", cpu=4, memory_bytes=2**34)
    for place, what in ((sessions, "session"), (applications, "application")):
        text = browser_client(ann).get(place).content.decode()
        assert f"so no {what} runs there" in text
        assert "Have an administrator of the installation add a host of another kind" in text
        assert 'href="/hosts/add/"' not in text
        assert 'href="/hosts/add/"' in browser_client(admin).get(place).content.decode()
    refused = browser_client(ann).post(f"{sessions}new/", {})
    assert (refused.status_code, "Hosts → Add a host" in refused.content.decode()) == (409, True)
    Host.objects.create(name="boxed", backend="docker", cpu=4, memory_bytes=2**34)
    assert "swarms" not in browser_client(ann).get(sessions).content.decode()


def test_a_ready_image_that_is_allowed_takes_the_place_of_the_requirements(
    project: Project, ann: User, settings: Any, browser_client: Callable[[User], Client]
) -> None:
    acting, client = Actor.person(ann), browser_client(ann)
    place = f"/projects/{project.pk}/sessions/new/"
    settings.IMAGES = ["registry.example.org/labs/*"]
    with pytest.raises(ValidationFailed, match="No host"):
        start_session(project, SessionRequest(image="registry.example.org/labs/r"), acting_user=acting)
    assert 'name="image"' not in client.get(place).content.decode()
    Host.objects.create(name="boxed", backend="docker", cpu=4, memory_bytes=2**34)
    assert "registry.example.org/labs/*" in client.get(place).content.decode()
    with pytest.raises(ValidationFailed, match="may be named"):
        start_session(project, SessionRequest(image="registry.example.org/other"), acting_user=acting)
    client.post(place, {"image": "registry.example.org/labs/r", "branch": "main"})
    made = Session.objects.get(project=project)
    assert (made.image, made.workload.spec["image"]) == ("registry.example.org/labs/r", "registry.example.org/labs/r")
    assert made.workload.environment_request is None
    assert "registry.example.org/labs/r" in client.get(f"/sessions/{made.pk}/").content.decode()
    # It is asked again at the next start.
    Workload.objects.filter(pk=made.workload_id).update(state="failed")
    settings.IMAGES = []
    with pytest.raises(ValidationFailed, match="may be named"):
        resume_session(made, acting_user=acting)


def test_the_token_lives_as_long_as_its_process_and_its_owner(session: Session, ann: User) -> None:
    token = live(session)
    assert session_of_token(token) == session
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert session_of_token(token) is None
    User.objects.filter(pk=ann.pk).update(is_active=True)
    Workload.objects.filter(pk=session.workload_id).update(state="failed")
    assert session_of_token(token) is None


def test_at_the_tracking_address_it_may_what_its_owner_may_now(session: Session, ann: User) -> None:
    token = live(session)
    found = tracking_identity(token, "")
    assert (found.workspace, found.granted) == (session.project.mlflow_workspace, frozenset(Access))
    assert found.stamp == {"modelwright.user": "ann", "modelwright.session_id": str(session.pk)}
    ProjectMembership.objects.filter(user=ann).update(role="viewer")
    assert tracking_identity(token, "").granted == frozenset({Access.READ})
    with pytest.raises(NotAuthenticated):
        tracking_identity(token, "00000000-0000-0000-0000-000000000000")


def test_with_its_token_nothing_else_opens(session: Session, client: Client) -> None:
    token = live(session)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/me/", headers=headers).status_code == 401
    assert client.get(f"/api/v1/sessions/{session.pk}/", headers=headers).status_code == 401
    other = "00000000-0000-0000-0000-000000000000"
    for address, status in ((session.pk, 200), (other, 404)):
        answer = client.get(f"/session-git/{address}.git/info/refs", {"service": "git-upload-pack"}, headers=headers)
        assert answer.status_code == status
    runs = client.get("/session-agent/runs/", headers=headers)
    assert (runs.status_code, runs.json()["results"]) == (200, [])


def test_the_table_lets_in_its_owner_alone_and_only_while_they_may(
    session: Session, ann: User, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    path = table.table_path(tmp_path)
    minding.publish()
    assert (table.read(path)[session.key].state, table.read(path)[session.key].target) == ("starting", "")
    live(session)
    note_beat(fresh(session), Beat())
    minding.publish()
    assert table.read(path)[session.key].users == frozenset({str(ann.pk)})
    ProjectMembership.objects.filter(user=ann).update(role="viewer")
    minding.publish()
    assert table.read(path)[session.key].users == frozenset()


def test_what_is_idle_is_asked_to_end_and_a_busy_kernel_is_not_idle(session: Session) -> None:
    live(session)
    Session.objects.filter(pk=session.pk).update(idle_seconds=60)
    note_beat(fresh(session), Beat(idle_seconds=600, is_busy=True, kernels=1))
    assert minding.end_idle() == 0
    note_beat(fresh(session), Beat(idle_seconds=30))
    assert minding.end_idle() == 0
    note_beat(fresh(session), Beat(idle_seconds=61))
    assert (minding.end_idle(), minding.end_idle()) == (1, 0)
    assert fresh(session).ending == "Nothing was done in it for 1 min."
    assert fresh(session).workload.cancel_requested_at is not None


def test_who_may_work_there_no_more_has_no_session(session: Session, ann: User) -> None:
    live(session)
    ProjectMembership.objects.filter(user=ann).delete()
    assert minding.end_idle() == 1
    assert fresh(session).ending == "ann may not work in the project any more."


def test_what_was_saved_is_committed_and_merged_beside_what_others_did(session: Session, ann: User, ben: User) -> None:
    write(session, session.saved_ref, notes="two\n")
    with pytest.raises(Conflict, match="newer"):
        commit_saved(session, message="x", expected="0" * 40, acting_user=Actor.person(ann))
    with pytest.raises(ValidationFailed):
        commit_saved(session, message=" ", acting_user=Actor.person(ann))
    # While ben moves the main branch on.
    other = write(session, "refs/heads/main", other="x")
    commit_saved(session, message="Two", acting_user=Actor.person(ann))
    with pytest.raises(Conflict, match="committed"):
        commit_saved(session, message="Two", acting_user=Actor.person(ann))
    merged = merge_branch(session, acting_user=Actor.person(ben))
    found = source.history(session.project, limit=1)[0]
    assert (found.sha, found.author.name, found.parents[0]) == (merged, "ben", other)
    assert source.read_file(session.project, merged, "notes.md").data == b"two\n"
    assert source.read_file(session.project, merged, "other.md").data == b"x"
    with pytest.raises(Conflict, match="already"):
        merge_branch(session, acting_user=Actor.person(ben))


def test_putting_packs_together_loses_nothing_that_no_branch_names(session: Session) -> None:
    folder = source.repository_path(session.project)
    for name in ("one", "two"):
        write(session, f"refs/heads/{name}", notes=name)
        run(folder, ["repack", "-d", "-q"])
    lost = repository.tip(session.project, "refs/heads/one")
    run(folder, ["update-ref", "-d", "refs/heads/one"])
    assert not repository.pack_together(session.project)
    assert repository.pack_together(session.project, most=1)
    assert len(list((folder / "objects" / "pack").glob("*.pack"))) == 1
    assert lost is not None
    assert source.read_file(session.project, lost, "notes.md").data == b"one"


def test_a_conflict_names_the_files_and_a_way_out_and_changes_nothing(session: Session, ann: User) -> None:
    write(session, session.saved_ref, notes="two\n")
    head = write(session, "refs/heads/main", notes="three\n")
    commit_saved(session, message="Two", acting_user=Actor.person(ann))
    with pytest.raises(Conflict, match=r"same lines of notes\.md") as caught:
        merge_branch(session, acting_user=Actor.person(ann))
    assert "git merge origin/main" in caught.value.remedy
    assert source.head(session.project) == head


def test_deleting_loses_nothing_unless_somebody_says_so(session: Session, ann: User) -> None:
    acting = Actor.person(ann)
    with pytest.raises(Conflict, match="runs"):
        delete_session(session, acting_user=acting)
    write(session, session.saved_ref, notes="two\n")
    over(session)
    with pytest.raises(Conflict, match="not committed"):
        delete_session(session, acting_user=acting)
    commit_saved(session, message="Two", acting_user=acting)
    with pytest.raises(Conflict, match="not merged"):
        delete_session(session, acting_user=acting)
    delete_session(session, discard=True, acting_user=acting)
    assert repository.tip(session.project, "refs/heads/session/1") is None
    assert repository.tip(session.project, session.saved_ref) is None
    assert Session.objects.filter(pk=session.pk).exists()


def test_only_the_owner_resumes_it_as_it_works_with_their_rights(session: Session, ann: User, ben: User) -> None:
    with pytest.raises(Conflict, match="runs"):
        resume_session(session, acting_user=Actor.person(ann))
    over(session)
    before = fresh(session).workload_id
    with pytest.raises(Conflict, match="session of ann"):
        resume_session(session, acting_user=Actor.person(ben))
    again = resume_session(session, acting_user=Actor.person(ann))
    assert (again.branch, again.state) == ("session/1", "queued")
    assert again.workload_id != before
    # A late word of the process before is of no start that counts.
    session.workload_id = before
    note_beat(session, Beat(kernels=7))
    assert fresh(session).kernels == 0


def test_packages_that_were_not_installed_there_are_not_asked_for(session: Session, ann: User) -> None:
    live(session)
    note_beat(fresh(session), Beat(packages=["flask==3.1.0", "-r evil"]))
    for strange in (["other==1.0"], ["-r evil"], []):
        with pytest.raises(ValidationFailed):
            want_packages(fresh(session), packages=strange, acting_user=Actor.person(ann))
    want_packages(fresh(session), packages=["flask==3.1.0"], acting_user=Actor.person(ann))
    assert fresh(session).wanted_packages == ["flask==3.1.0"]


def test_commands_are_kept_where_the_project_asks_for_it_and_once(project: Project, ann: User) -> None:
    acting = Actor.person(ann)
    typed = [Command("cell", 1.0, "1 + 1"), Command("terminal", 1e30, "ls\0"), Command("other", 1.0, "x")]
    without = start_session(project, SessionRequest(), acting_user=acting)
    note_commands(without, 0, typed)
    ProjectMembership.objects.filter(user=ann).update(role="admin")
    set_policy(project, records_commands=True, acting_user=acting)
    session = start_session(project, SessionRequest(), acting_user=acting)
    for _ in range(2):
        note_commands(session, 0, typed)
    kept = SessionCommand.objects.order_by("offset").values_list("session", "kind", "text")
    assert [(kind, text) for _, kind, text in kept] == [("cell", "1 + 1"), ("terminal", "ls")]


def test_what_was_read_of_data_connections_is_kept_once_and_shown_to_those_who_may_see_commands(
    session: Session, ann: User, ben: User, admin: User, client: Client
) -> None:
    live(session)
    read = [Read("lake", "directory", "", 1.0), Read("warehouse\0", "postgresql", "SELECT <b>\0", 1e30)]
    for _ in range(2):
        note_reads(fresh(session), 0, read)
    address = f"/api/v1/sessions/{session.pk}/reads/"
    client.force_login(ann)
    found = client.get(address).json()["results"]
    assert [(one["by"], one["connection"], one["kind"], one["what"]) for one in found] == [
        ("ann", "warehouse", "postgresql", "SELECT <b>"),
        ("ann", "lake", "directory", ""),
    ]
    assert "SELECT &lt;b&gt;" in client.get(f"/sessions/{session.pk}/").content.decode()
    client.force_login(ben)
    assert client.get(address).status_code == 403
    assert "SELECT" not in client.get(f"/sessions/{session.pk}/").content.decode()
    client.force_login(admin)
    process = client.get(f"/api/v1/workloads/{session.workload_id}/").json()
    assert [one["connection"] for one in process["data_reads"]] == ["warehouse", "lake"]
    page = client.get(f"/workloads/{session.workload_id}/").content.decode()
    assert "SELECT &lt;b&gt;" in page


def test_why_it_ended_by_itself_is_kept_where_nobody_asked_it_to_end(session: Session, ann: User) -> None:
    live(session)
    note_beat(fresh(session), Beat(ending="Not at the end."))
    assert fresh(session).ending == ""
    note_beat(fresh(session), Beat(is_end=True, ending="JupyterLab ended by itself\0, with code 3."))
    assert fresh(session).ending == "JupyterLab ended by itself, with code 3."
    note_beat(fresh(session), Beat(is_end=True, ending="Another word."))
    assert fresh(session).ending == session.starts.get().ending == "JupyterLab ended by itself, with code 3."


def test_samples_are_half_a_minute_apart(session: Session) -> None:
    live(session)
    for _ in range(3):
        note_beat(fresh(session), Beat(cpu_seconds=1.0, memory_bytes=2**20, processes=3))
    assert SessionSample.objects.count() == 1
    SessionSample.objects.update(at=timezone.now() - timedelta(seconds=31))
    note_beat(fresh(session), Beat(cpu_seconds=2.0))
    assert SessionSample.objects.count() == 2


def test_the_pages_show_and_do_it(session: Session, ann: User, client: Client) -> None:
    client.force_login(ann)
    write(session, session.saved_ref, notes="<script>two</script>\n")
    page = client.get(f"/sessions/{session.pk}/").content.decode()
    assert "&lt;script&gt;two" in page
    assert "Open JupyterLab" not in page
    done = client.post(f"/sessions/{session.pk}/commit/", {"message": "Two"}, follow=True)
    assert "Committed to session/1" in done.content.decode()
    done = client.post(f"/sessions/{session.pk}/merge/", follow=True)
    assert "session/1 is merged" in done.content.decode()
    made = client.post(f"/projects/{session.project_id}/sessions/new/", {"branch": "main", "idle_hours": "0.5"})
    assert made.status_code == 302
    assert Session.objects.latest("number").idle_seconds == 1800
    assert client.post(f"/sessions/{session.pk}/stop/", {"reason": "Done."}).status_code == 302
    assert fresh(session).is_over


def test_the_pinned_packages_are_those_of_the_lock() -> None:
    locked = tomllib.loads((Path(__file__).parents[2] / "uv.lock").read_text())["package"]
    found = {f"{one['name']}=={one.get('version')}" for one in locked}
    assert set(lab.ADDITIONS) <= found
