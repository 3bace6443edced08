"""What an hour costs."""

from __future__ import annotations

import re
from decimal import Decimal

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute.metering import rates
from modelwright.compute.models import UsageRates
from modelwright.core.errors import FieldError, ValidationFailed
from modelwright.core.saving import check_fields

_CURRENCY = re.compile(r"[A-Za-z€$£¥]{1,8}")


@transaction.atomic
def set_rates(
    *, currency: str, cpu_hour: Decimal, gib_hour: Decimal, gpu_hour: Decimal, acting_user: Actor
) -> UsageRates:
    """Set what an hour of a CPU, a GiB and a GPU costs from now on, in past periods too. Site administrators only.

    All zero means that no cost is shown.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    before = rates()
    made = UsageRates(
        currency=currency.strip(),
        cpu_hour=cpu_hour,
        gib_hour=gib_hour,
        gpu_hour=gpu_hour,
        created_by=acting_user.name,
    )
    _check(made)
    made.save(force_insert=True)
    record(
        acting_user=acting_user,
        action=AuditAction.USAGE_RATES_SET,
        target=Target("usage rates", made.pk, str(made)),
        before=_facts(before) if before else None,
        after=_facts(made),
    )
    return made


def _check(row: UsageRates) -> None:
    errors = [
        FieldError(name, "A price is not negative.", "Give zero or more.")
        for name in ("cpu_hour", "gib_hour", "gpu_hour")
        if getattr(row, name) < 0
    ]
    if not _CURRENCY.fullmatch(row.currency):
        errors.append(FieldError("currency", f"{row.currency[:20]!r} is no currency.", "Write EUR, for instance."))
    if errors:
        raise ValidationFailed(
            " ".join(error.message for error in errors), remedy="Correct the fields named.", errors=tuple(errors)
        )
    check_fields(row)


def _facts(row: UsageRates) -> dict[str, str]:
    return {
        "currency": row.currency,
        **{name: f"{getattr(row, name):f}" for name in ("cpu_hour", "gib_hour", "gpu_hour")},
    }
