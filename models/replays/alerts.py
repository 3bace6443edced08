"""Alerts of drills: raised when a way back is found closed, ended when it is found open again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from models.replays.models import Drill, DrillAlert
from models.replays.way_back import versions_back
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission, ProjectRole
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core import mail
from projects.selectors import authorize, members


def open_alert(endpoint_id: UUID) -> DrillAlert | None:
    """The endpoint's alert that is not over. The caller may see the endpoint."""
    found = DrillAlert.objects.filter(endpoint_id=endpoint_id, ended_at=None)
    return found.select_related("drill__model_version__model", "endpoint").first()


@transaction.atomic
def raise_alert(drill: Drill, *, acting_user: Actor) -> DrillAlert:
    """Raise the alert of a failed drill, or have the one that is open tell of this drill."""
    alert, is_new = DrillAlert.objects.select_for_update().get_or_create(
        endpoint=drill.endpoint,
        ended_at=None,
        defaults={"project_id": drill.project_id, "drill": drill, "detail": drill.detail},
    )
    if is_new:
        _tell(alert)
        _audit(AuditAction.DRILL_ALERT_RAISED, alert, acting_user, after={"detail": drill.detail[:500]})
    else:
        alert.drill, alert.detail = drill, drill.detail
        alert.save(update_fields=["drill", "detail"])
    return alert


@transaction.atomic
def end_alert(drill: Drill, *, acting_user: Actor) -> None:
    """End the endpoint's alert once a passed drill shows that what it told of is over."""
    alert = DrillAlert.objects.select_for_update().filter(endpoint=drill.endpoint, ended_at=None).first()
    if alert is None:
        return
    told_of = alert.drill.model_version_id
    if told_of == drill.model_version_id or told_of not in {version.pk for version in versions_back(drill.endpoint)}:
        alert.ended_at = timezone.now()
        alert.save(update_fields=["ended_at"])
        _audit(AuditAction.DRILL_ALERT_ENDED, alert, acting_user, after={"drill": str(drill.pk)})


@transaction.atomic
def acknowledge(alert: DrillAlert, *, acting_user: Actor) -> DrillAlert:
    """Note that somebody has seen it; it stays until a drill passes. Doing it twice is harmless."""
    role = authorize(acting_user, Permission.ENDPOINT_ROLLBACK, alert.endpoint.project)
    unseen = DrillAlert.objects.filter(pk=alert.pk, acknowledged_at=None)
    if unseen.update(acknowledged_at=timezone.now(), acknowledged_by=acting_user.name):
        _audit(AuditAction.DRILL_ALERT_ACKNOWLEDGED, alert, acting_user, role=role)
    alert.refresh_from_db()
    return alert


def _tell(alert: DrillAlert) -> None:
    """Write to the project's administrators, once the alert is stored."""
    admins = members(alert.endpoint.project).filter(role=ProjectRole.ADMIN, user__is_active=True)
    to = list(admins.exclude(user__email="").values_list("user__email", flat=True))
    subject = f"The way back of {alert.endpoint.path} is not proved"
    address = f"{settings.WEB_URL}{reverse('drill', args=[alert.drill_id])}"
    text = f"{subject}.\n\n{alert.detail}\n\nA rollback may not work until this is mended. See {address}\n"
    if to:
        transaction.on_commit(lambda: mail.send(to, subject, text), robust=True)


def _audit(action: AuditAction, alert: DrillAlert, acting_user: Actor, **facts: Any) -> None:
    record(
        acting_user=acting_user,
        action=action,
        target=Target("endpoint", alert.endpoint_id, alert.endpoint.path),
        workspace_id=alert.endpoint.workspace_id,
        project_id=alert.project_id,
        **facts,
    )
