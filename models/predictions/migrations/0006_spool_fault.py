from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0005_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="spoolstate",
            name="fault",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
    ]
