"""A deployment says of which stage its endpoint was when it was asked for. Of those before nobody knows any more: they
count as of the stage that their endpoint has now, so that nothing that serves needs another approval."""

from django.db import migrations, models

FILL = """
UPDATE endpoints_deployment d SET stage = e.stage FROM endpoints_endpoint e WHERE e.id = d.endpoint_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("endpoints", "0005_silent_replicas"),
    ]

    operations = [
        migrations.AddField(
            model_name="deployment",
            name="stage",
            field=models.CharField(
                choices=[("lab", "Lab"), ("staging", "Staging"), ("production", "Production")],
                default="lab",
                max_length=16,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
