"""What was consented to may be taken back, by somebody and with a reason; then nothing is deployed by it any more."""

from django.db import migrations, models

FORWARD = """
CREATE OR REPLACE FUNCTION approvals_check_consent() RETURNS trigger LANGUAGE plpgsql AS $$
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
     (('requested', 'given'), ('requested', 'refused'), ('requested', 'withdrawn'), ('given', 'used'),
      ('given', 'revoked')) THEN
    RAISE EXCEPTION 'a consent that is % does not become %', OLD.state, NEW.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state = 'given' AND (NEW.approver_id, NEW.decided_by, NEW.decided_at, NEW.decision) IS DISTINCT FROM
     (OLD.approver_id, OLD.decided_by, OLD.decided_at, OLD.decision) THEN
    RAISE EXCEPTION 'what was decided does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state = 'revoked' AND (NEW.revoked_by = '' OR NEW.revoked_at IS NULL OR NEW.revocation = '') THEN
    RAISE EXCEPTION 'whoever takes a consent back says why' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state = 'given' AND (NEW.approver_id IS NULL OR NEW.approver_id = NEW.requester_id) THEN
    RAISE EXCEPTION 'a second person agrees, not whoever asked' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
"""
BACKWARD = """
CREATE OR REPLACE FUNCTION approvals_check_consent() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""
STATES = [
    ("requested", "Requested"),
    ("given", "Given"),
    ("refused", "Refused"),
    ("withdrawn", "Withdrawn"),
    ("used", "Used"),
    ("revoked", "Taken back"),
]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_consents")]

    operations = [
        migrations.AlterField("consent", "state", models.CharField(choices=STATES, default="requested", max_length=16)),
        migrations.AddField(
            "consent", "revoked_by", models.CharField(blank=True, db_default="", default="", max_length=100)
        ),
        migrations.AddField("consent", "revoked_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("consent", "revocation", models.TextField(blank=True, db_default="", default="")),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
