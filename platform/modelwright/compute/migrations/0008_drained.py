"""A host that was drained stays so when it was silent in between."""

from django.db import migrations, models


def note_draining(apps, _schema_editor):
    apps.get_model("compute", "Host").objects.filter(state="draining").update(drained=True)


class Migration(migrations.Migration):
    dependencies = [("compute", "0007_usage")]

    operations = [
        migrations.AddField("host", "drained", models.BooleanField(default=False)),
        migrations.RunPython(note_draining, migrations.RunPython.noop),
    ]
