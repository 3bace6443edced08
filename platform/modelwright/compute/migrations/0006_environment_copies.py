"""The environments that there are have a copy on the host that built them."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone


def enter_copies(apps: Any, _: Any) -> None:
    """Environments whose build is known and whose files are there. Others are found by their host's own look."""
    environment, copy = apps.get_model("compute", "Environment"), apps.get_model("compute", "EnvironmentCopy")
    built = environment.objects.filter(state="ready", build__host__isnull=False).select_related("build")
    copy.objects.bulk_create(
        [
            copy(
                environment=one,
                host_id=one.build.host_id,
                state="ready",
                workload=one.build,
                ready_at=one.build.finished_at or timezone.now(),
            )
            for one in built
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("compute", "0005_handing_in")]

    operations = [migrations.RunPython(enter_copies, migrations.RunPython.noop, elidable=True)]
