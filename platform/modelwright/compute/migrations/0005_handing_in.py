"""An index for what a host has to hand in. Of what was collected before, nothing has to be."""

from typing import Any

from django.db import migrations, models
from django.db.models import F


def leave_the_collected(apps: Any, _: Any) -> None:
    """Marks what was collected before hosts handed anything in."""
    workloads = apps.get_model("compute", "Workload").objects
    workloads.filter(handed_in_at=None, collected_at__isnull=False).update(handed_in_at=F("collected_at"))


class Migration(migrations.Migration):
    dependencies = [("compute", "0004_joining")]

    operations = [
        migrations.RunPython(leave_the_collected, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="workload",
            index=models.Index(
                condition=models.Q(
                    ("handed_in_at", None),
                    ("state__in", ["cancelled", "failed", "lost", "out_of_memory", "succeeded", "timed_out"]),
                ),
                fields=["host"],
                name="workload_not_handed_in",
            ),
        ),
    ]
