"""What is said of a variable, how it is delivered, its revision; and who was given which secret, only ever inserted."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import modelwright.core.ids

# Until now nobody noted changes, so a variable is as old as its row.
WHEN_MADE = "UPDATE projects_variable SET changed_at = created_at"
FORWARD = """
CREATE FUNCTION projects_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the record of secrets is append-only';
END $$;
CREATE TRIGGER secret_read_append_only BEFORE UPDATE OR DELETE ON projects_secretread
  FOR EACH ROW EXECUTE FUNCTION projects_refuse_change();
"""
BACKWARD = """
DROP TRIGGER secret_read_append_only ON projects_secretread;
DROP FUNCTION projects_refuse_change();
"""
DELIVERIES = [
    ("environment", "As an environment variable"),
    ("file", "As a file, whose path is in the environment variable"),
]


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_source_archives")]

    operations = [
        migrations.AddField("variable", "description", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField(
            "variable", "delivery", models.CharField(choices=DELIVERIES, default="environment", max_length=16)
        ),
        migrations.AddField("variable", "changed_at", models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AddField("variable", "changed_by", models.CharField(blank=True, default="", max_length=100)),
        migrations.AddField("variable", "revision", models.PositiveIntegerField(default=1)),
        migrations.RunSQL(WHEN_MADE, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="SecretRead",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("workload_id", models.UUIDField(db_index=True)),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("subject_kind", models.CharField(max_length=16)),
                ("subject_id", models.UUIDField()),
                ("subject", models.CharField(max_length=255)),
                (
                    "names",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=128), size=None),
                ),
                ("person", models.CharField(max_length=100)),
                ("person_id", models.UUIDField(blank=True, null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="secret_reads",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "-id"], name="secret_read_of_project"),
                    django.contrib.postgres.indexes.GinIndex(fields=["names"], name="secret_read_names"),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
