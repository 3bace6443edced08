"""A table of archives, and archives for the runs that were queued when hosts checked commits out by themselves."""

import logging
from pathlib import Path
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import modelwright.core.ids

logger = logging.getLogger(__name__)


def archive_waiting_runs(apps: Any, _: Any) -> None:
    """Names the archive in each run that is not collected yet. One whose commit is gone fails when it starts."""
    from projects.source.archives import store_archive

    for run in apps.get_model("compute", "Workload").objects.filter(
        collected_at=None, spec__source__has_key="repository"
    ):
        source = run.spec["source"]
        try:
            sha256 = store_archive(Path(source["repository"]), source["commit"])
        except Exception:
            logger.exception("no archive of commit %s for workload %s", source["commit"], run.pk)
            continue
        run.spec = {**run.spec, "source": {"archive": sha256}}
        run.save(update_fields=["spec"])


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial"), ("compute", "0003_real_hosts")]

    operations = [
        migrations.CreateModel(
            name="SourceArchive",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("commit", models.CharField(max_length=40)),
                ("sha256", models.CharField(max_length=64)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="source_archives",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("project", "commit"), name="source_archive")],
            },
        ),
        migrations.RunPython(archive_waiting_runs, migrations.RunPython.noop),
    ]
