"""Hosts get Redis users of their own. Those that have joined before keep the password of all until they join anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("compute", "0011_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="host",
            name="redis_user",
            field=models.CharField(blank=True, default="", max_length=63),
        ),
        migrations.AddField(
            model_name="host",
            name="redis_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
    ]
