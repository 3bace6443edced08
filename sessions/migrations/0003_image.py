from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("work_sessions", "0002_observed")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="image",
            field=models.CharField(blank=True, default="", max_length=255),
        ),
    ]
