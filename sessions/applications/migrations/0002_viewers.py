from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def tell_apart(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Processes of applications were called sessions: those that are no start of a session are of applications."""
    starts = apps.get_model("work_sessions", "SessionStart").objects.values("workload")
    workloads = apps.get_model("compute", "Workload").objects.filter(kind="session")
    workloads.exclude(pk__in=starts).update(kind="application")


class Migration(migrations.Migration):
    dependencies = [
        ("applications", "0001_applications"),
        ("work_sessions", "0004_reads"),
        ("compute", "0013_applications"),
    ]

    operations = [
        migrations.AddField(model_name="application", name="lets_viewers_in", field=models.BooleanField(default=False)),
        migrations.RunPython(tell_apart, migrations.RunPython.noop),
    ]
