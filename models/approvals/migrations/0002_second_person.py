"""What the database itself refuses: changed checks and cards, a promotion that changes its past, and an approval for
production by the one who asked for it or whose run made the version."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION approvals_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: record anew, and the newest counts', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER check_append_only BEFORE UPDATE OR DELETE ON approvals_check
  FOR EACH ROW EXECUTE FUNCTION approvals_refuse_change();
CREATE TRIGGER model_card_append_only BEFORE UPDATE OR DELETE ON approvals_modelcard
  FOR EACH ROW EXECUTE FUNCTION approvals_refuse_change();

CREATE FUNCTION approvals_maker(wanted uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT coalesce(r.created_by_id, j.created_by_id)
  FROM registry_modelversion v JOIN jobs_run r ON r.id = v.source_run_id LEFT JOIN jobs_job j ON j.id = r.job_id
  WHERE v.id = wanted
$$;

CREATE FUNCTION approvals_check_promotion() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER promotion_second_person BEFORE INSERT OR UPDATE OR DELETE ON approvals_promotion
  FOR EACH ROW EXECUTE FUNCTION approvals_check_promotion();
"""
BACKWARD = """
DROP TRIGGER promotion_second_person ON approvals_promotion;
DROP FUNCTION approvals_check_promotion();
DROP FUNCTION approvals_maker(uuid);
DROP TRIGGER model_card_append_only ON approvals_modelcard;
DROP TRIGGER check_append_only ON approvals_check;
DROP FUNCTION approvals_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
