from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("endpoints", "0004_rollouts"),
    ]

    operations = [
        migrations.AddField(
            model_name="replica",
            name="silent_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
