"""Who made a token to join with and that it was taken back; the database role of a host."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("compute", "0003_real_hosts"),
    ]

    operations = [
        migrations.AddField("host", "database_role", models.CharField(blank=True, default="", max_length=63)),
        migrations.AddField(
            "jointoken",
            "maker",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField("jointoken", "revoked_at", models.DateTimeField(null=True)),
    ]
