"""A sink may be of a whole workspace: of all projects that it has and gets. Those that are there stay their project's."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0004_families"), ("projects", "0001_initial"), ("workspaces", "0001_initial")]

    operations = [
        migrations.AlterField(
            "sink",
            "project",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="event_sinks",
                to="projects.project",
            ),
        ),
        migrations.AddField(
            "sink",
            "workspace",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="event_sinks",
                to="workspaces.workspace",
            ),
        ),
        migrations.AddConstraint(
            "sink", models.UniqueConstraint(fields=("workspace", "name"), name="event_sink_workspace_name")
        ),
        migrations.AddConstraint(
            "sink",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("project", None), ("workspace__isnull", False)),
                    models.Q(("project__isnull", False), ("workspace", None)),
                    _connector="OR",
                ),
                name="event_sink_of_one",
            ),
        ),
    ]
