import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import modelwright.core.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("projects", "0002_source_archives"),
    ]

    operations = [
        migrations.CreateModel(
            name="StreamHead",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0)),
                ("kept_from", models.BigIntegerField(default=1)),
            ],
        ),
        migrations.CreateModel(
            name="Subscriber",
            fields=[
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("prediction", "Prediction"),
                            ("feedback", "Feedback"),
                            ("change", "Row of the audit log"),
                        ],
                        max_length=16,
                    ),
                ),
                ("what", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("project_id", models.UUIDField(null=True)),
                ("endpoint_id", models.UUIDField(null=True)),
                ("ids", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ("size", models.PositiveIntegerField()),
                ("first", models.BigIntegerField(null=True, unique=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("first", None)), fields=["id"], name="arrival_without_position"),
                    models.Index(fields=["project_id", "first"], name="arrival_of_project"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Sink",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "name",
                    models.CharField(
                        max_length=63,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\Z",
                                "A name has 1 to 63 small letters, digits and hyphens, and begins and ends with a letter or digit.",
                                code="invalid-name",
                            )
                        ],
                    ),
                ),
                ("description", models.TextField(blank=True, default="")),
                ("url", models.CharField(max_length=1000)),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("batch", "Several at once (application/cloudevents-batch+json)"),
                            ("single", "One at a time (application/cloudevents+json)"),
                        ],
                        default="batch",
                        max_length=16,
                    ),
                ),
                (
                    "families",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("request", "Requests"),
                                ("answer", "Answers"),
                                ("feedback", "Feedback"),
                                ("deployment", "Deployments and rollbacks"),
                                ("rollout", "Rollouts"),
                                ("approval", "Approvals"),
                                ("model", "Models and versions"),
                                ("alert", "Alerts, drills and replays"),
                            ],
                            max_length=16,
                        ),
                        size=None,
                    ),
                ),
                (
                    "endpoint_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ("secret", models.TextField()),
                ("created_by", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused")], default="active", max_length=16
                    ),
                ),
                ("detail", models.TextField(blank=True, default="")),
                ("position", models.BigIntegerField()),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("batch_limit", models.PositiveSmallIntegerField(default=100)),
                ("delivered", models.BigIntegerField(default=0)),
                ("missed", models.BigIntegerField(default=0)),
                ("delivered_at", models.DateTimeField(null=True, blank=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True, blank=True)),
                ("last_error", models.TextField(blank=True, default="")),
                ("next_attempt_at", models.DateTimeField(null=True, blank=True)),
                ("gave_up_one", models.BooleanField(default=False)),
                ("leased_until", models.DateTimeField(null=True, blank=True)),
                ("fence", models.BigIntegerField(default=0)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="event_sinks", to="projects.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("position", models.BigIntegerField()),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("event_id", models.CharField(max_length=80)),
                ("type", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("prediction", "Prediction"),
                            ("feedback", "Feedback"),
                            ("change", "Row of the audit log"),
                        ],
                        max_length=16,
                    ),
                ),
                ("thing_id", models.UUIDField()),
                ("endpoint_id", models.UUIDField(null=True)),
                ("key", models.CharField(max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("dead", "Refused"),
                            ("held", "Waits behind a refused one"),
                            ("due", "To be sent again"),
                            ("delivered", "Delivered"),
                            ("discarded", "Discarded"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField(blank=True, default="")),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("settled_by", models.CharField(blank=True, default="", max_length=100)),
                ("settled_at", models.DateTimeField(null=True, blank=True)),
                (
                    "sink",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="letters", to="events.sink"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.UniqueConstraint(fields=("project", "name"), name="event_sink_name"),
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("state__in", ("dead", "held", "due"))),
                fields=["sink", "key", "position", "part"],
                name="dead_letter_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.UniqueConstraint(fields=("sink", "position", "part"), name="dead_letter_place"),
        ),
    ]
