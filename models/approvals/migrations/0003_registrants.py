"""Whoever registered a version does not approve it either, and one that nobody is known to have made is not approved."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION approvals_registrant(wanted uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT registered_by_id FROM registry_modelversion WHERE id = wanted
$$;

CREATE OR REPLACE FUNCTION approvals_check_promotion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a promotion stays on record' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'requested' OR NEW.approver_id IS NOT NULL OR NEW.decided_at IS NOT NULL OR NEW.is_override THEN
      RAISE EXCEPTION 'a promotion begins as requested' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.stage = 'production' AND NEW.requester_id IS NULL THEN
      RAISE EXCEPTION 'a person asks for production' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Who made it is what the runs say, whatever the writer says.
    NEW.author_id := coalesce(approvals_maker(NEW.version_id), NEW.author_id, approvals_registrant(NEW.version_id));
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.version_id, NEW.stage, NEW.requester_id, NEW.requester_name, NEW.author_id, NEW.reason, NEW.checks,
      NEW.created_at) IS DISTINCT FROM
     (OLD.id, OLD.version_id, OLD.stage, OLD.requester_id, OLD.requester_name, OLD.author_id, OLD.reason, OLD.checks,
      OLD.created_at) THEN
    RAISE EXCEPTION 'what was asked for does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (OLD.state, NEW.state) NOT IN
     (('requested', 'approved'), ('requested', 'refused'), ('requested', 'withdrawn'), ('approved', 'revoked')) THEN
    RAISE EXCEPTION 'a promotion that is % does not become %', OLD.state, NEW.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state = 'approved' AND
     (NEW.approver_id, NEW.decided_by, NEW.decided_at, NEW.decision, NEW.decided_checks, NEW.is_override) IS DISTINCT
     FROM (OLD.approver_id, OLD.decided_by, OLD.decided_at, OLD.decision, OLD.decided_checks, OLD.is_override) THEN
    RAISE EXCEPTION 'what was decided does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state = 'approved' AND NEW.stage = 'production' AND OLD.state = 'requested' THEN
    IF NEW.approver_id IS NULL THEN
      RAISE EXCEPTION 'production is approved by a person' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.approver_id = NEW.requester_id THEN
      RAISE EXCEPTION 'whoever asks for production does not approve it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF coalesce(NEW.author_id, approvals_maker(NEW.version_id), approvals_registrant(NEW.version_id)) IS NULL THEN
      RAISE EXCEPTION 'nobody knows who made the version' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.approver_id IN
       (NEW.author_id, approvals_maker(NEW.version_id), approvals_registrant(NEW.version_id)) THEN
      RAISE EXCEPTION 'whoever made the version does not approve it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;
"""
BACKWARD = """
CREATE OR REPLACE FUNCTION approvals_check_promotion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a promotion stays on record' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'requested' OR NEW.approver_id IS NOT NULL OR NEW.decided_at IS NOT NULL OR NEW.is_override THEN
      RAISE EXCEPTION 'a promotion begins as requested' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.stage = 'production' AND NEW.requester_id IS NULL THEN
      RAISE EXCEPTION 'a person asks for production' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Who made it is what the runs say, whatever the writer says.
    NEW.author_id := coalesce(approvals_maker(NEW.version_id), NEW.author_id);
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.version_id, NEW.stage, NEW.requester_id, NEW.requester_name, NEW.author_id, NEW.reason, NEW.checks,
      NEW.created_at) IS DISTINCT FROM
     (OLD.id, OLD.version_id, OLD.stage, OLD.requester_id, OLD.requester_name, OLD.author_id, OLD.reason, OLD.checks,
      OLD.created_at) THEN
    RAISE EXCEPTION 'what was asked for does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (OLD.state, NEW.state) NOT IN
     (('requested', 'approved'), ('requested', 'refused'), ('requested', 'withdrawn'), ('approved', 'revoked')) THEN
    RAISE EXCEPTION 'a promotion that is % does not become %', OLD.state, NEW.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state = 'approved' AND
     (NEW.approver_id, NEW.decided_by, NEW.decided_at, NEW.decision, NEW.decided_checks, NEW.is_override) IS DISTINCT
     FROM (OLD.approver_id, OLD.decided_by, OLD.decided_at, OLD.decision, OLD.decided_checks, OLD.is_override) THEN
    RAISE EXCEPTION 'what was decided does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state = 'approved' AND NEW.stage = 'production' AND OLD.state = 'requested' THEN
    IF NEW.approver_id IS NULL THEN
      RAISE EXCEPTION 'production is approved by a person' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.approver_id = NEW.requester_id THEN
      RAISE EXCEPTION 'whoever asks for production does not approve it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.approver_id = NEW.author_id OR NEW.approver_id = approvals_maker(NEW.version_id) THEN
      RAISE EXCEPTION 'whoever made the version does not approve it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;

DROP FUNCTION approvals_registrant(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0002_second_person"),
        ("registry", "0004_registered_by"),
    ]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
