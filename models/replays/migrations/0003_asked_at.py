"""When a drill's first golden request was asked."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("replays", "0002_drills")]

    operations = [migrations.AddField(model_name="drill", name="asked_at", field=models.DateTimeField(null=True))]
