"""Truth for predictions (only ever inserted), their re-executions, and the public keys of their receipts."""

import django.db.models.deletion
import django.utils.timezone
import modelwright.core.ids
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'feedback is append-only: say again what is true, and the newest counts';
END $$;
CREATE TRIGGER feedback_append_only BEFORE UPDATE OR DELETE ON predictions_feedback
  FOR EACH ROW EXECUTE FUNCTION predictions_refuse_change();
"""
BACKWARD = """
DROP TRIGGER feedback_append_only ON predictions_feedback;
DROP FUNCTION predictions_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("compute", "0009_kinds_of_serving"),
        ("predictions", "0002_partitions"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReceiptKey",
            fields=[
                ("key_id", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("public_key", models.TextField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                ("id", models.UUIDField(default=modelwright.core.ids.new_id, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("project_id", models.UUIDField(null=True)),
                ("endpoint_id", models.UUIDField()),
                ("prediction_id", models.UUIDField(null=True)),
                ("record", models.PositiveIntegerField(default=0)),
                ("truth", models.JSONField()),
                ("response", models.JSONField(null=True)),
                ("happened_at", models.DateTimeField(null=True)),
                ("known_at", models.DateTimeField()),
                (
                    "source",
                    models.CharField(choices=[("key", "Key of the endpoint"), ("person", "Person")], max_length=16),
                ),
                ("source_id", models.UUIDField(null=True)),
                ("created_by", models.CharField(blank=True, default="", max_length=100)),
                ("problem", models.TextField(blank=True, default="")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["prediction_id", "record", "-known_at", "-id"], name="feedback_of_prediction"),
                    models.Index(fields=["endpoint_id", "-id"], name="feedback_of_endpoint"),
                    models.Index(fields=["endpoint_id", "prediction_id", "record"], name="feedback_coverage"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reexecution",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("prediction_id", models.UUIDField(db_index=True)),
                ("project_id", models.UUIDField()),
                ("endpoint_id", models.UUIDField()),
                ("model_version_id", models.UUIDField()),
                ("served_by", models.CharField(max_length=80)),
                ("requested_by", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("same", "Same answer"),
                            ("different", "Different answer"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("detail", models.TextField(blank=True, default="")),
                ("outputs", models.JSONField(null=True)),
                ("probabilities", models.JSONField(null=True)),
                ("difference", models.JSONField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "workload",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reexecution", to="compute.workload"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
