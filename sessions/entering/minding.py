"""The watcher's tick: which logins count."""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session as Login
from django.utils import timezone

from sessions import logins
from sessions.entering.models import Admission
from sessions.entering.signing import proof_of


def publish() -> bool:
    """Write the logins that go on, and forget those that ended; False where nothing changed."""
    asked = time.time()
    admissions = list(Admission.objects.select_related("user"))
    keys = [one.session_key for one in admissions]
    live = set(
        Login.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()).values_list("session_key", flat=True)
    )
    gone = [one for one in admissions if not _counts(one, live)]
    if gone:
        Admission.objects.filter(pk__in=[one.pk for one in gone]).delete()
    digests = {one.login for one in admissions} - {one.login for one in gone}
    return logins.write(logins.logins_path(Path(settings.DATA_DIR)), digests, asked=asked)


def _counts(admission: Admission, live: set[str]) -> bool:
    user = admission.user
    return admission.session_key in live and user.is_active and admission.proof == proof_of(user)
