"""Opens and closes alerts of endpoints that have a target."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from models.availability import transitions
from models.availability.budget import Counts
from models.availability.burning import LENGTHS, Burn, burns
from models.availability.counts import lately
from models.availability.models import AvailabilityAlert, AvailabilityMinute
from models.endpoints.models import Endpoint
from models.endpoints.services import audit, endpoint_target
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import ProjectRole
from modelwright.audit.actions import AuditAction
from modelwright.core import mail
from projects.selectors import members

logger = logging.getLogger(__name__)

WATCHER = Actor.system("availability watcher")
KEPT = timedelta(days=400)
_WORDS = {timedelta(minutes=5): "5 minutes", timedelta(minutes=30): "30 minutes", timedelta(hours=1): "hour"}
_WORDS |= {timedelta(hours=6): "6 hours", timedelta(days=3): "3 days"}


def tick() -> None:
    """Look at all endpoints once. May be repeated, and run twice at a time."""
    promised = list(Endpoint.objects.exclude(availability_target=None).select_related("workspace", "project"))
    counted = lately([endpoint.pk for endpoint in promised], LENGTHS, timezone.now())
    found = AvailabilityAlert.objects.filter(state="open").select_related("endpoint__workspace", "endpoint__project")
    alerts = {(alert.endpoint_id, alert.rule): alert for alert in found}
    for endpoint in promised:
        opened = []
        for burn in _burns(endpoint, counted[endpoint.pk]):
            alert = alerts.pop((endpoint.pk, burn.rule.name), None)
            if alert is None and burn.opens:
                opened.append(open_alert(endpoint, burn))
            elif alert is not None and not burn.goes_on:
                close_alert(alert, why=f"The last {_WORDS[burn.rule.short]} used up the budget no faster than allowed.")
        _tell(endpoint, [alert for alert in opened if alert is not None])
    for alert in alerts.values():
        close_alert(alert, why="The endpoint has no target any more.")


def _burns(endpoint: Endpoint, counted: Mapping[timedelta, Counts]) -> list[Burn]:
    return burns(lambda length: counted[length], endpoint.availability_target or 0.0)


@transaction.atomic
def open_alert(endpoint: Endpoint, burn: Burn) -> AvailabilityAlert | None:
    """Note that the endpoint burns its budget by this rule; None where that is noted already."""
    rule = burn.rule
    detail = (
        f"{burn.counts.lost:,} of {burn.counts.requests:,} requests of the last {_WORDS[rule.long]} were not answered: "
        f"{burn.long:.3g} times what a target of {endpoint.availability_target:g} % allows, and "
        f"{burn.short:.3g} times in the last {_WORDS[rule.short]}."
    )
    alert = AvailabilityAlert(
        endpoint=endpoint,
        rule=rule.name,
        severity=rule.severity,
        target=endpoint.availability_target or 0.0,
        long_burn=burn.long,
        short_burn=burn.short,
        requests=burn.counts.requests,
        lost=burn.counts.lost,
        detail=detail,
    )
    AvailabilityAlert.objects.bulk_create([alert], ignore_conflicts=True)
    if not AvailabilityAlert.objects.filter(pk=alert.pk).exists():
        return None
    logger.warning("%s burns its error budget: %s", endpoint.path, detail)
    audit(
        AuditAction.AVAILABILITY_ALERT_OPENED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=WATCHER,
        after={"rule": rule.name, "severity": rule.severity, "long_burn": burn.long, "short_burn": burn.short},
        reason=detail,
    )
    return alert


@transaction.atomic
def close_alert(alert: AvailabilityAlert, *, why: str) -> None:
    """It is over."""
    if not transitions.close(alert):
        return
    audit(
        AuditAction.AVAILABILITY_ALERT_CLOSED,
        endpoint_target(alert.endpoint),
        alert.endpoint,
        acting_user=WATCHER,
        before={"rule": alert.rule, "severity": alert.severity},
        after={"state": "closed"},
        reason=why,
    )


def _tell(endpoint: Endpoint, opened: list[AvailabilityAlert]) -> None:
    """Write once to the project's administrators of all that has just opened."""
    admins = members(endpoint.project).filter(role=ProjectRole.ADMIN, user__is_active=True)
    to = list(admins.exclude(user__email="").values_list("user__email", flat=True)) if opened else []
    if not to:
        return
    subject = f"{endpoint.path} uses up its error budget too fast"
    address = f"{settings.WEB_URL}{reverse('endpoint-availability', args=[endpoint.pk])}"
    text = "\n".join([f"{subject}.", "", *[alert.detail for alert in opened], "", f"See {address}", ""])
    # Not within the caller's transaction where there is one, and never in the way of the next endpoint.
    transaction.on_commit(lambda: mail.send(to, subject, text), robust=True)


def forget() -> None:
    """Let go of what was counted so long ago that no page draws it."""
    AvailabilityMinute.objects.filter(minute__lt=timezone.now() - KEPT).delete()
