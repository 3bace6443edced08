"""A job may name a ready image."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_attempts")]

    operations = [migrations.AddField("job", "image", models.CharField(blank=True, default="", max_length=255))]
