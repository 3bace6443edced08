"""The database itself refuses a deployment to production of a version whose approval is not there, or was taken back.

Rollbacks need none: what served goes on to be what one can go back to. A shadow's answers reach nobody.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION endpoints_check_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.role = 'shadow' THEN
    RETURN NEW;
  END IF;
  PERFORM FROM endpoints_deployment WHERE id = NEW.deployment_id AND stage = 'production' AND kind <> 'rollback';
  IF NOT FOUND THEN
    RETURN NEW;
  END IF;
  -- Whoever takes the approval back meanwhile waits until the deployment stands, or is seen here.
  PERFORM FROM approvals_promotion
    WHERE version_id = NEW.model_version_id AND stage = 'production' AND state = 'approved' FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the version is not approved for production' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER target_is_approved BEFORE INSERT OR UPDATE OF deployment_id, model_version_id, role ON endpoints_deploymenttarget
  FOR EACH ROW EXECUTE FUNCTION endpoints_check_target();
"""
BACKWARD = """
DROP TRIGGER target_is_approved ON endpoints_deploymenttarget;
DROP FUNCTION endpoints_check_target();
"""


class Migration(migrations.Migration):
    dependencies = [("endpoints", "0007_sizes"), ("approvals", "0005_taken_back")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
