"""Runs, and what is new in a project's repository, are events too. Sinks that are there ask for what they asked for."""

import django.contrib.postgres.fields
from django.db import migrations, models

FAMILIES = [
    ("request", "Requests"),
    ("answer", "Answers"),
    ("feedback", "Feedback"),
    ("deployment", "Deployments and rollbacks"),
    ("rollout", "Rollouts"),
    ("approval", "Approvals"),
    ("model", "Models and versions"),
    ("alert", "Alerts, drills and replays"),
    ("run", "Runs and batch jobs"),
    ("source", "Commits and pushes"),
]


class Migration(migrations.Migration):
    dependencies = [("events", "0003_refused")]

    operations = [
        migrations.AlterField(
            "sink",
            "families",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=FAMILIES, max_length=16), size=None
            ),
        )
    ]
