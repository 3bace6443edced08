"""A second person agrees to a graph, a rule, or an endpoint's leaving production; the database refuses the first one."""

import django.db.models.deletion
import modelwright.core.ids
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION approvals_check_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a consent stays on record' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'requested' OR NEW.approver_id IS NOT NULL OR NEW.decided_at IS NOT NULL THEN
      RAISE EXCEPTION 'a consent begins as requested' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.project_id, NEW.endpoint_id, NEW.endpoint_name, NEW.kind, NEW.digest, NEW.content, NEW.requester_id,
      NEW.requester_name, NEW.reason, NEW.created_at) IS DISTINCT FROM
     (OLD.id, OLD.project_id, OLD.endpoint_id, OLD.endpoint_name, OLD.kind, OLD.digest, OLD.content, OLD.requester_id,
      OLD.requester_name, OLD.reason, OLD.created_at) THEN
    RAISE EXCEPTION 'what was asked for does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (OLD.state, NEW.state) NOT IN
     (('requested', 'given'), ('requested', 'refused'), ('requested', 'withdrawn'), ('given', 'used')) THEN
    RAISE EXCEPTION 'a consent that is % does not become %', OLD.state, NEW.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state = 'given' AND (NEW.approver_id, NEW.decided_by, NEW.decided_at, NEW.decision) IS DISTINCT FROM
     (OLD.approver_id, OLD.decided_by, OLD.decided_at, OLD.decision) THEN
    RAISE EXCEPTION 'what was decided does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state = 'given' AND (NEW.approver_id IS NULL OR NEW.approver_id = NEW.requester_id) THEN
    RAISE EXCEPTION 'a second person agrees, not whoever asked' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER consent_second_person BEFORE INSERT OR UPDATE OR DELETE ON approvals_consent
  FOR EACH ROW EXECUTE FUNCTION approvals_check_consent();
"""
BACKWARD = """
DROP TRIGGER consent_second_person ON approvals_consent;
DROP FUNCTION approvals_check_consent();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0003_registrants"),
        ("projects", "0002_source_archives"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=modelwright.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("endpoint_id", models.UUIDField()),
                ("endpoint_name", models.CharField(max_length=200)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("graph", "Inference graph"),
                            ("rule", "Rule as fallback"),
                            ("stage", "Leaving production"),
                        ],
                        max_length=8,
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("content", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("given", "Given"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                            ("used", "Used"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("requester_name", models.CharField(max_length=100)),
                ("reason", models.TextField()),
                ("decided_by", models.CharField(blank=True, default="", max_length=100)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision", models.TextField(blank=True, default="")),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="projects.project"
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["endpoint_id", "kind", "digest"], name="approvals_consent_digest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "requested")),
                        fields=("endpoint_id", "kind", "digest"),
                        name="consent_one_open",
                    )
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
