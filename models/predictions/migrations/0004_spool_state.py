"""What waits in the spool of each host."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("predictions", "0003_feedback")]

    operations = [
        migrations.CreateModel(
            name="SpoolState",
            fields=[
                ("host", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("waiting_bytes", models.BigIntegerField(default=0)),
                ("oldest_at", models.DateTimeField(null=True)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
    ]
