"""Endpoints ask for a size with GPUs and labels. Those that there are keep the size that they have."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("endpoints", "0006_deployment_stage"),
    ]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="gpus",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="labels",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="profile",
            field=models.CharField(blank=True, default="", max_length=63),
        ),
    ]
