"""Runs that are tried again. Every run that there is was its only attempt."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import modelwright.core.ids


def first_attempts(apps, _schema_editor):
    run_model, attempt_model = apps.get_model("jobs", "Run"), apps.get_model("jobs", "Attempt")
    known = run_model.objects.values_list("pk", "workload_id").iterator(chunk_size=2000)
    attempts = (attempt_model(run_id=run_id, number=1, workload_id=workload_id) for run_id, workload_id in known)
    attempt_model.objects.bulk_create(attempts, batch_size=2000)


class Migration(migrations.Migration):
    dependencies = [("compute", "0004_joining"), ("jobs", "0002_artifact_use")]

    operations = [
        migrations.AddField(
            "job",
            "retries",
            models.PositiveSmallIntegerField(
                blank=True, default=0, validators=[django.core.validators.MaxValueValidator(10)]
            ),
        ),
        migrations.AddField("job", "retry_failed", models.BooleanField(default=False)),
        migrations.AddField("run", "attempt", models.PositiveSmallIntegerField(default=1)),
        migrations.AddField("run", "retries", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("run", "retry_failed", models.BooleanField(default=False)),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("number", models.PositiveSmallIntegerField()),
                ("because", models.TextField(blank=True, default="")),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="jobs.run"
                    ),
                ),
                (
                    "workload",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attempt", to="compute.workload"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "number"), name="attempt_number")],
            },
        ),
        migrations.RunPython(first_attempts, migrations.RunPython.noop),
    ]
