"""An address of a replica on another host is longer than a socket's path."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("endpoints", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="replica",
            name="socket",
            field=models.CharField(blank=True, default="", max_length=400),
        ),
    ]
