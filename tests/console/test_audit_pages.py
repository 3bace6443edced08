"""The auditor's console: who may see it, filters, details, export, the seal."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import AsyncClient

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.sealing import seal
from modelwright.audit.services import Target, record
from modelwright.console import export as export_module

PAGES = ["/audit/", "/audit/seal/", "/audit/export.csv"]


def make_event(name: str = "churn", **facts: Any) -> AuditEvent:
    with transaction.atomic():
        return record(
            acting_user=Actor.system("watcher"),
            action=facts.pop("action", AuditAction.PROJECT_CHANGED),
            target=Target("project", "p1", name),
            **facts,
        )


@pytest.mark.parametrize("path", PAGES)
def test_a_person_without_a_site_role_is_refused(browser_client: Any, stranger: User, path: str) -> None:
    response = browser_client(stranger).get(path)
    assert response.status_code == 403
    assert "Ask an administrator of the installation" in response.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_auditors_and_administrators_are_let_in(browser_client: Any, auditor: User, admin: User, path: str) -> None:
    for person in (auditor, admin):
        assert browser_client(person).get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_nothing_can_be_written(browser_client: Any, admin: User, path: str) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(browser_client(admin), method)(path).status_code == 405


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=churn", True),
        ("?q=nothing-like-it", False),
        ("?action=project.changed", True),
        ("?action=run.created", False),
        ("?actor_name=watch", True),
        ("?target_kind=project&target_id=p1", True),
        ("?since=2020-01-01", True),
        ("?until=2020-01-01", False),
        ("?project_id=019ab3c4-0000-7000-8000-000000000000", False),
    ],
)
def test_filters_narrow_the_list(browser_client: Any, auditor: User, query: str, found: bool) -> None:
    make_event("churn")
    listing = browser_client(auditor).get(f"/audit/{query}").context["listing"]
    assert ("churn" in [row.target_name for row in listing.rows]) is found


@pytest.mark.parametrize(
    "query", ["?action=nonsense", "?since=yesterday", "?project_id=x", "?page=zero", "?sort=nope", "?q=%00"]
)
def test_wrong_parameters_do_not_break_the_page(browser_client: Any, auditor: User, query: str) -> None:
    assert browser_client(auditor).get(f"/audit/{query}").status_code == 200


def test_a_wrong_filter_is_named(browser_client: Any, auditor: User) -> None:
    assert "is &#x27;yesterday&#x27;" in browser_client(auditor).get("/audit/?since=yesterday").content.decode()


def test_details_show_what_changed(browser_client: Any, auditor: User) -> None:
    event = make_event(before={"name": "old", "same": 1}, after={"name": "new", "same": 1}, reason="A typo")
    response = browser_client(auditor).get(f"/audit/{event.pk}/")
    assert {change.key: change.is_changed for change in response.context["changes"]} == {"name": True, "same": False}
    assert "A typo" in response.content.decode()


def test_names_are_escaped(browser_client: Any, auditor: User) -> None:
    event = make_event("<script>alert(1)</script>", after={"<b>": "<i>"})
    for path in ("/audit/", f"/audit/{event.pk}/"):
        assert "<script>alert" not in browser_client(auditor).get(path).content.decode()


def test_unknown_row_is_not_found(browser_client: Any, auditor: User) -> None:
    assert browser_client(auditor).get("/audit/019ab3c4-0000-7000-8000-000000000000/").status_code == 404


def _body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_csv_disarms_formulas(browser_client: Any, auditor: User) -> None:
    for name in ("=1+1", "+1", "-1", "@x", "\tx", "plain"):
        make_event(name)
    text = _body(browser_client(auditor).get("/audit/export.csv?target_kind=project"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["target_name"] for row in rows} == {"'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain"}


def test_json_lines_hold_every_row_that_the_filter_leaves(
    browser_client: Any, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "CHUNK_ROWS", 3)
    for index in range(8):
        make_event(f"p{index}", after={"index": index})
    lines = _body(browser_client(auditor).get("/audit/export.jsonl?target_kind=project")).splitlines()
    assert sorted(json.loads(line)["after"]["index"] for line in lines) == list(range(8))


def test_an_export_is_itself_on_record(browser_client: Any, auditor: User) -> None:
    _body(browser_client(auditor).get("/audit/export.csv?action=user.created"))
    event = AuditEvent.objects.get(action="audit.exported")
    assert event.actor_name == "auditor"
    assert event.after == {"form": "csv", "filters": {"action": "user.created"}, "rows": 1}


@pytest.mark.parametrize("path", ["/audit/export.xlsx", "/audit/export.csv?since=yesterday"])
def test_wrong_export_is_refused_and_takes_nothing(browser_client: Any, auditor: User, path: str) -> None:
    assert browser_client(auditor).get(path).status_code == 422
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


async def _read_asynchronously(person: User, path: str) -> str:
    client = AsyncClient()
    await client.aforce_login(person)
    response: Any = await client.get(path)
    return b"".join([piece async for piece in response.streaming_content]).decode()


def test_export_streams_under_asgi(auditor: User) -> None:
    assert "user.created" in async_to_sync(_read_asynchronously)(auditor, "/audit/export.jsonl")


def test_seal_page_tells_when_links_hold(browser_client: Any, auditor: User) -> None:
    seal()
    page = browser_client(auditor).get("/audit/seal/?verify=1").content.decode()
    assert "Every link holds" in page


def _tamper(event: AuditEvent) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_append_only")
        cursor.execute("UPDATE audit_auditevent SET actor_name = 'nobody' WHERE id = %s", [event.pk])


def test_seal_page_and_command_name_a_changed_row(browser_client: Any, auditor: User) -> None:
    event = make_event()
    seal()
    call_command("verify_audit")
    _tamper(event)
    assert "was changed" in browser_client(auditor).get("/audit/seal/?verify=1").content.decode()
    with pytest.raises(CommandError, match="was changed"):
        call_command("verify_audit")
