"""Imports of repositories elsewhere; a secret may be read by the platform itself, which is no workload."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import modelwright.core.ids

OUTCOMES = [
    ("forward", "The project is at the repository's newest commit"),
    ("joined", "A new commit has the repository's files, with both histories behind it"),
    ("nothing-new", "The project had all of it already"),
]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("projects", "0003_secrets"),
    ]

    operations = [
        migrations.AlterField("secretread", "workload_id", models.UUIDField(blank=True, db_index=True, null=True)),
        migrations.CreateModel(
            name="SourceImport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("address", models.CharField(max_length=1000)),
                ("branch", models.CharField(blank=True, default="", max_length=120)),
                ("username", models.CharField(blank=True, default="", max_length=100)),
                ("secret", models.CharField(blank=True, default="", max_length=128)),
                ("replace", models.BooleanField(default=False)),
                ("state", models.CharField(db_index=True, default="queued", max_length=16)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                ("progress", models.CharField(blank=True, default="", max_length=120)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("commit", models.CharField(blank=True, default="", max_length=40)),
                ("imported", models.CharField(blank=True, default="", max_length=40)),
                ("outcome", models.CharField(blank=True, choices=OUTCOMES, default="", max_length=16)),
                ("notes", models.TextField(blank=True, default="")),
                ("problem", models.TextField(blank=True, default="")),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="imports", to="projects.project"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(state__in=["queued", "running"]),
                        fields=("project",),
                        name="one_import_at_a_time",
                    )
                ],
            },
        ),
    ]
