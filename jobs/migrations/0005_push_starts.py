"""What starts jobs on a push, and the pushes that were told."""

import django.core.validators
import django.db.models.deletion
import modelwright.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_job_image"),
        ("projects", "0003_secrets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("by hand", "By hand"),
                    ("schedule", "By schedule"),
                    ("after", "After another job"),
                    ("api", "Over the API"),
                    ("push", "By a push"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="PushStart",
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
                (
                    "via",
                    models.CharField(
                        choices=[
                            ("git", "This project's repository"),
                            ("github", "GitHub (X-Hub-Signature-256)"),
                            ("gitea", "Gitea or Forgejo (X-Gitea-Signature)"),
                            ("gitlab", "GitLab (X-Gitlab-Token)"),
                            ("standard", "Standard Webhooks (webhook-signature)"),
                        ],
                        max_length=16,
                    ),
                ),
                ("branch", models.CharField(blank=True, default="", max_length=255)),
                ("secret", models.TextField(blank=True, default="")),
                ("is_active", models.BooleanField(default=True)),
                ("refused_at", models.DateTimeField(blank=True, null=True)),
                ("revision", models.PositiveIntegerField(default=1)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="push_starts", to="jobs.job"
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="push_starts", to="projects.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Push",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("key", models.CharField(max_length=64)),
                ("branch", models.CharField(blank=True, default="", max_length=255)),
                ("commit", models.CharField(blank=True, default="", max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("started", "Started a run"), ("ignored", "Not meant"), ("failed", "Could not start")],
                        max_length=16,
                    ),
                ),
                ("detail", models.TextField(blank=True, default="")),
                ("address", models.CharField(blank=True, default="", max_length=64)),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="jobs.run",
                    ),
                ),
                (
                    "start",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="pushes", to="jobs.pushstart"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="pushstart",
            constraint=models.UniqueConstraint(fields=("project", "name"), name="push_start_name"),
        ),
        migrations.AddIndex(
            model_name="push",
            index=models.Index(fields=["start", "-id"], name="push_of_start"),
        ),
        migrations.AddConstraint(
            model_name="push",
            constraint=models.UniqueConstraint(fields=("start", "key"), name="push_once"),
        ),
    ]
