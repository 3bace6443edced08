"""Predictions by day, with protocol, path, status, error and trace; and what is counted of them by the minute."""

import datetime
import itertools
import uuid

import django.contrib.postgres.fields
from django.db import migrations, models

TABLE, BEFORE, REST = "predictions_prediction", "predictions_prediction_before", "predictions_prediction_default"
DAYS_AHEAD = 3


def floor_id(day):
    """The smallest UUIDv7 of a day that begins at midnight UTC."""
    return uuid.UUID(int=int(day.timestamp() * 1000) << 80)


def partition(_apps, schema_editor):
    """The table as it was becomes the first partition, untouched; the new one has its name and its indexes.

    The first partition ends with today. Ids that lie beyond are no gateway's (or of one whose clock was wrong): those
    rows alone are moved, to the partition for what has no other.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        today = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today + datetime.timedelta(days=number) for number in range(1, DAYS_AHEAD + 2)]
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {BEFORE}")
        cursor.execute(f"ALTER INDEX {TABLE}_pkey RENAME TO {BEFORE}_pkey")
        for index in ("prediction_of_endpoint", "prediction_of_deployment"):
            cursor.execute(f"ALTER INDEX {index} RENAME TO {index}_before")
        cursor.execute(
            f"CREATE TABLE {TABLE} (LIKE {BEFORE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (id)"
        )
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        cursor.execute(f"CREATE INDEX prediction_of_endpoint ON {TABLE} (endpoint_id, id DESC)")
        cursor.execute(f"CREATE INDEX prediction_of_deployment ON {TABLE} (deployment_id, id DESC)")
        cursor.execute(f"CREATE TABLE {REST} PARTITION OF {TABLE} DEFAULT")
        for start, end in itertools.pairwise(days):
            cursor.execute(
                f"CREATE TABLE {TABLE}_{start:%Y%m%d} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)",
                [floor_id(start), floor_id(end)],
            )
        moving = (
            f"WITH moved AS (DELETE FROM {BEFORE} WHERE id >= %s RETURNING *) INSERT INTO {TABLE} SELECT * FROM moved"  # noqa: S608
        )
        cursor.execute(moving, [floor_id(days[0])])
        cursor.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {BEFORE} FOR VALUES FROM (MINVALUE) TO (%s)", [floor_id(days[0])]
        )
        cursor.execute(f"CREATE INDEX prediction_failed ON {TABLE} (endpoint_id, id DESC) WHERE NOT (status = 200)")


class Migration(migrations.Migration):
    dependencies = [("predictions", "0001_initial")]

    operations = [
        migrations.AddField("prediction", "protocol", models.CharField(db_default="own", default="own", max_length=16)),
        migrations.AddField(
            "prediction",
            "served_by",
            models.CharField(db_default="original", default="original", max_length=80),
        ),
        migrations.AddField("prediction", "status", models.PositiveSmallIntegerField(db_default=200, default=200)),
        migrations.AddField("prediction", "error", models.JSONField(null=True)),
        migrations.AddField(
            "prediction",
            "trace_id",
            models.CharField(blank=True, db_default="", default="", max_length=32),
        ),
        migrations.AddField("prediction", "rows", models.PositiveIntegerField(null=True)),
        migrations.CreateModel(
            name="PredictionBucket",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "endpoint_id",
                        "minute",
                        "deployment_id",
                        "model_version_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("endpoint_id", models.UUIDField()),
                ("minute", models.DateTimeField()),
                ("deployment_id", models.UUIDField()),
                ("model_version_id", models.UUIDField()),
                ("count", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
                ("latency", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("latency_sum_ms", models.FloatField(default=0.0)),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(partition)],
            state_operations=[
                migrations.AddIndex(
                    "prediction",
                    models.Index(
                        condition=models.Q(("status", 200), _negated=True),
                        fields=["endpoint_id", "-id"],
                        name="prediction_failed",
                    ),
                ),
            ],
        ),
    ]
