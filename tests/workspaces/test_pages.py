"""Pages of workspaces: who sees them, what they refuse, and that a refusal stands beside its field."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from modelwright.compute.models import ResourceProfile
from tests.workspaces.conftest import Cast
from workspaces.connection_services import create_data_connection
from workspaces.models import DataConnection, Membership, Workspace


def _url(cast: Cast, rest: str = "") -> str:
    return f"/workspaces/{cast.workspace.pk}/{rest}"


def _text(response: Any) -> str:
    return str(response.content.decode())


def test_whoever_is_not_signed_in_is_sent_to_sign_in(cast: Cast) -> None:
    for url in ("/workspaces/", _url(cast), _url(cast, "members/"), _url(cast, "data-connections/")):
        response = Client().get(url)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


@pytest.mark.parametrize("rest", ["", "members/", "data-connections/", "settings/"])
def test_pages_are_for_members_and_auditors(browser_client: Any, cast: Cast, rest: str) -> None:
    stranger = browser_client(cast.stranger).get(_url(cast, rest))
    assert stranger.status_code == 404
    assert ">lab<" not in _text(stranger)
    for user in (cast.member, cast.owner, cast.auditor, cast.admin):
        response = browser_client(user).get(_url(cast, rest))
        assert response.status_code == 200
        assert ">lab<" in _text(response)


@pytest.mark.parametrize(
    ("rest", "data"),
    [
        ("members/", {"username": "stranger", "role": "member"}),
        ("members/max/remove/", {}),
        ("settings/", {"description": "x"}),
        ("data-connections/new/?kind=http", {"name": "web", "config.url": "https://example.org"}),
    ],
)
@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("member", 403), ("auditor", 403)])
def test_writes_are_refused(
    browser_client: Any, cast: Cast, rest: str, data: dict[str, str], who: str, status: int
) -> None:
    response = browser_client(getattr(cast, who)).post(_url(cast, rest), data)
    assert response.status_code == status
    assert Membership.objects.count() == 2
    assert not DataConnection.objects.exists()
    assert Workspace.objects.get().description == ""


def test_a_form_without_its_token_is_refused(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.owner)
    response = client.post(_url(cast, "members/"), {"username": "stranger", "role": "member"})
    assert response.status_code == 403
    assert Membership.objects.count() == 2


def test_the_list_shows_what_one_may_see_and_ones_role(browser_client: Any, cast: Cast) -> None:
    assert "You are in no workspace yet" in _text(browser_client(cast.stranger).get("/workspaces/"))
    shown = _text(browser_client(cast.member).get("/workspaces/"))
    assert "lab" in shown
    assert "member" in shown
    assert "New workspace" not in shown
    assert "New workspace" in _text(browser_client(cast.admin).get("/workspaces/"))


def test_an_administrator_makes_a_workspace(browser_client: Any, cast: Cast) -> None:
    assert browser_client(cast.owner).get("/workspaces/new/").status_code == 403
    assert browser_client(cast.owner).post("/workspaces/new/", {"name": "new"}).status_code == 403
    client = browser_client(cast.admin)
    for name, status, words in (("Not Valid", 422, "small letters"), ("lab", 409, "already")):
        refused = client.post("/workspaces/new/", {"name": name})
        assert refused.status_code == status
        assert words in _text(refused)
        assert 'aria-invalid="true"' in _text(refused)
    made = client.post("/workspaces/new/", {"name": "new", "cpu_limit": "2", "description": "d"}, follow=True)
    assert "The workspace new is made." in _text(made)
    assert Workspace.objects.get(name="new").cpu_limit == 2


def test_members_are_added_changed_and_removed(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.owner)
    unknown = client.post(_url(cast, "members/"), {"username": "nobody", "role": "member"})
    assert unknown.status_code == 404
    assert "There is no active person called" in _text(unknown)
    added = client.post(_url(cast, "members/"), {"username": "stranger", "role": "admin"}, follow=True)
    assert "stranger is admin of lab now." in _text(added)
    assert "Remove stranger" in _text(client.get(_url(cast, "members/stranger/remove/")))
    removed = client.post(_url(cast, "members/stranger/remove/"), follow=True)
    assert "no longer a member" in _text(removed)
    last = client.post(_url(cast, "members/olga/remove/"))
    assert last.status_code == 409
    assert "last administrator" in _text(last)


def test_limits_are_shown_to_all_and_changed_by_site_administrators(browser_client: Any, cast: Cast) -> None:
    owner = browser_client(cast.owner)
    assert 'name="cpu_limit"' not in _text(owner.get(_url(cast, "settings/")))
    owner.post(_url(cast, "settings/"), {"description": "ours", "cpu_limit": "64"})
    assert (Workspace.objects.get().description, Workspace.objects.get().cpu_limit) == ("ours", None)
    admin = browser_client(cast.admin)
    wrong = admin.post(_url(cast, "settings/"), {"cpu_limit": "0"})
    assert wrong.status_code == 422
    admin.post(_url(cast, "settings/"), {"description": "ours", "cpu_limit": "1.5", "concurrent_runs_limit": "4"})
    assert "1.5" in _text(browser_client(cast.member).get(_url(cast, "settings/")))


def test_sizes_and_hosts_of_a_workspace_are_chosen_on_its_page(browser_client: Any, cast: Cast) -> None:
    ResourceProfile.objects.get_or_create(name="small", defaults={"cpu": 0.5, "memory_bytes": 2**30})
    admin, url = browser_client(cast.admin), _url(cast, "settings/")
    changes = {"profiles": ["small"], "host_labels": "zone=a\nquiet", "gpu_limit": "0"}
    assert admin.post(url, changes).status_code == 302
    workspace = Workspace.objects.get()
    assert (workspace.profiles, workspace.host_labels, workspace.gpu_limit) == (
        ["small"],
        {"zone": "a", "quiet": ""},
        0,
    )
    assert "zone=a</code>" in _text(browser_client(cast.member).get(url))
    page = _text(admin.get(url))
    assert "quiet\nzone=a</textarea>" in page
    ResourceProfile.objects.filter(name="small").delete()
    assert "small (deleted)" in _text(admin.get(url))
    assert admin.post(url, {**changes, "description": "kept"}).status_code == 302
    assert Workspace.objects.get().profiles == ["small"]


def test_a_connection_is_added_changed_and_deleted(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.owner)
    new = _url(cast, "data-connections/new/?kind=postgresql")
    values = {
        "name": "crm",
        "config.host": "db.example.org",
        "config.database": "crm",
        "config.username": "reader",
        "secret": "hunter2",
    }
    form = _text(client.get(new))
    assert "User name" in form
    assert "Give disable, prefer, require or verify-full." in form, "as it is written, not Disable"
    refused = client.post(new, {**values, "config.host": "no host"})
    assert refused.status_code == 422
    assert "a host name or address" in _text(refused)
    assert "hunter2" not in _text(refused)
    added = client.post(new, values, follow=True)
    assert "The data connection crm is added." in _text(added)
    row = DataConnection.objects.get()
    edit = _url(cast, f"data-connections/{row.pk}/")
    assert "hunter2" not in _text(client.get(edit))
    client.post(edit, {**values, "config.host": "other.example.org", "secret": ""})
    row.refresh_from_db()
    assert row.config["host"] == "other.example.org"
    assert row.has_secret
    assert "cannot be" not in _text(client.get(f"{edit}delete/"))
    assert client.post(f"{edit}delete/").status_code == 302
    assert not DataConnection.objects.exists()


def test_members_do_not_see_how_to_change_a_connection(browser_client: Any, cast: Cast, admin: Any) -> None:
    from modelwright.accounts.actors import Actor

    made = create_data_connection(
        cast.workspace,
        name="share",
        kind="directory",
        config={"path": "/srv/data"},
        acting_user=Actor.person(admin),
    )
    client = browser_client(cast.member)
    assert "/srv/data" in _text(client.get(_url(cast, "data-connections/")))
    for rest in ("", "delete/"):
        assert client.get(_url(cast, f"data-connections/{made.pk}/{rest}")).status_code == 403
        assert client.post(_url(cast, f"data-connections/{made.pk}/{rest}")).status_code == 403


@pytest.mark.parametrize("query", ["?page=x", "?sort=evil", "?q=%00", "?kind=none", "?page=999999999999999"])
def test_wrong_parameters_break_no_list(browser_client: Any, cast: Cast, query: str) -> None:
    client = browser_client(cast.owner)
    for url in ("/workspaces/", _url(cast), _url(cast, "members/"), _url(cast, "data-connections/")):
        assert client.get(f"{url}{query}").status_code == 200
