from django.db import migrations, models

KINDS = [
    ("run", "Run"),
    ("environment", "Environment build"),
    ("inspection", "Inspection"),
    ("replica", "Replica"),
    ("compilation", "Compilation"),
    ("scoring", "Batch scoring"),
    ("reexecution", "Re-execution"),
    ("replay", "Replay"),
    ("session", "Session"),
    ("application", "Application"),
]


class Migration(migrations.Migration):
    dependencies = [("compute", "0012_redis_users")]

    operations = [
        migrations.AlterField(model_name="workload", name="kind", field=models.CharField(choices=KINDS, max_length=16)),
    ]
