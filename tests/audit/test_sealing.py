"""The chain over the audit rows."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent, AuditSeal
from modelwright.audit.sealing import seal, verify
from modelwright.audit.services import Target, record


def write(count: int) -> None:
    for index in range(count):
        record(
            acting_user=Actor.system("tests"),
            action=AuditAction.RUN_CREATED,
            target=Target("run", index, f"run {index}"),
            after={"number": index},
        )


def alter(sql: str) -> None:
    """Change rows as someone with the database owner's power would."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE audit_auditevent DISABLE TRIGGER USER; ALTER TABLE audit_auditseal DISABLE TRIGGER USER"
        )
        cursor.execute(sql)


@pytest.mark.django_db
def test_all_rows_are_sealed_in_order() -> None:
    write(5)
    assert seal() == 5
    assert seal() == 0
    write(2)
    assert verify().unsealed == 2
    assert seal() == 2
    verdict = verify()
    assert (verdict.checked, verdict.unsealed, verdict.fault) == (7, 0, "")


@pytest.mark.django_db
def test_a_changed_row_is_found() -> None:
    write(3)
    seal()
    alter("UPDATE audit_auditevent SET actor_name = 'someone else' WHERE target_id = '1'")
    assert "link 2" in verify().fault


@pytest.mark.django_db
def test_a_removed_row_is_found() -> None:
    write(3)
    seal()
    alter("DELETE FROM audit_auditevent WHERE target_id = '1'")
    assert "removed" in verify().fault


@pytest.mark.django_db
def test_a_removed_link_is_found() -> None:
    write(3)
    seal()
    alter("DELETE FROM audit_auditseal WHERE position = 2")
    assert "missing" in verify().fault


@pytest.mark.django_db
@pytest.mark.parametrize("table", [AuditEvent, AuditSeal])
def test_rows_cannot_be_changed_or_removed(table: type[AuditEvent] | type[AuditSeal]) -> None:
    write(1)
    seal()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        table.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_recording_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        write(1)
    assert not AuditEvent.objects.exists()
