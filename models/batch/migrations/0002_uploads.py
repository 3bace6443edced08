"""Uploaded files lie apart from other blobs, so that they can be deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batch", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="batchinput",
            name="is_apart",
            field=models.BooleanField(db_default=False, default=True),
        ),
        migrations.AddField(
            model_name="batchinput",
            name="deleted_at",
            field=models.DateTimeField(null=True),
        ),
    ]
