"""What metering reads in one index; what an hour costs."""

from django.db import migrations, models

import modelwright.core.ids


class Migration(migrations.Migration):
    dependencies = [("compute", "0006_environment_copies")]

    operations = [
        migrations.CreateModel(
            name="UsageRates",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("currency", models.CharField(max_length=8)),
                ("cpu_hour", models.DecimalField(decimal_places=6, max_digits=12)),
                ("gib_hour", models.DecimalField(decimal_places=6, max_digits=12)),
                ("gpu_hour", models.DecimalField(decimal_places=6, max_digits=12)),
                ("created_by", models.CharField(max_length=100)),
            ],
            options={"abstract": False},
        ),
        migrations.AddIndex(
            "workload",
            models.Index(
                fields=["placed_at", "finished_at"],
                include=(
                    "cpu",
                    "memory_bytes",
                    "gpus",
                    "workspace_id",
                    "project_id",
                    "created_by",
                    "kind",
                    "host",
                    "id",
                ),
                condition=models.Q(("placed_at__isnull", False)),
                name="workload_usage",
            ),
        ),
    ]
