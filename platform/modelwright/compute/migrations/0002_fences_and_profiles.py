from django.db import migrations

GIB = 1024**3
PROFILES = [
    ("small", "Trying things out, replicas, light training", 0.5, 1 * GIB),
    ("medium", "Training on tables that fit into memory", 1.0, 2 * GIB),
    ("large", "Larger tables, ensembles, small networks", 2.0, 4 * GIB),
]


def make_profiles(apps, schema_editor):  # noqa: ARG001 - Django passes it
    profile = apps.get_model("compute", "ResourceProfile")
    for name, description, cpu, memory_bytes in PROFILES:
        profile.objects.get_or_create(
            name=name, defaults={"description": description, "cpu": cpu, "memory_bytes": memory_bytes}
        )


class Migration(migrations.Migration):
    dependencies = [("compute", "0001_initial")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE compute_fence", "DROP SEQUENCE compute_fence"),
        migrations.RunPython(make_profiles, migrations.RunPython.noop),
    ]
