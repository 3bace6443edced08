"""How many events a sink has refused in a row."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0002_arrivals")]

    operations = [
        migrations.AddField(
            model_name="sink", name="refused", field=models.PositiveIntegerField(db_default=0, default=0)
        )
    ]
