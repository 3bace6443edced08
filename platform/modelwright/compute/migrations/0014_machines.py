from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compute", "0013_applications")]

    operations = [
        migrations.AddField(model_name="host", name="machines", field=models.JSONField(blank=True, default=list)),
    ]
