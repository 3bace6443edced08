"""Triggers that note what arrives, in the transaction that stores it, whoever stores it and in whichever way.

A statement's predictions are noted as one row for each endpoint, not one for each prediction. Moving rows between
partitions fires nothing, since it names the partitions.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION events_note_predictions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events_arrival (kind, project_id, endpoint_id, ids, size)
  SELECT 'prediction', project_id, endpoint_id, array_agg(id ORDER BY id), count(*)
    FROM arrived GROUP BY project_id, endpoint_id;
  RETURN NULL;
END $$;
CREATE TRIGGER events_arrival AFTER INSERT ON predictions_prediction
  REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION events_note_predictions();

CREATE FUNCTION events_note_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events_arrival (kind, project_id, endpoint_id, ids, size)
  SELECT 'feedback', project_id, endpoint_id, array_agg(id ORDER BY id), count(*)
    FROM arrived GROUP BY project_id, endpoint_id;
  RETURN NULL;
END $$;
CREATE TRIGGER events_arrival AFTER INSERT ON predictions_feedback
  REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION events_note_feedback();

CREATE FUNCTION events_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  is_id constant text := '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$';
  named text := NEW.after ->> 'endpoint_id';
  endpoint uuid;
BEGIN
  -- Whatever stands in the row, it must not be refused on account of this.
  IF NEW.target_kind = 'endpoint' AND NEW.target_id ~ is_id THEN
    endpoint := NEW.target_id::uuid;
  ELSIF NEW.target_kind = 'deployment' AND NEW.target_id ~ is_id THEN
    SELECT endpoint_id INTO endpoint FROM endpoints_deployment WHERE id = NEW.target_id::uuid;
  ELSIF named ~ is_id THEN
    endpoint := named::uuid;
  END IF;
  INSERT INTO events_arrival (kind, what, project_id, endpoint_id, ids, size)
  VALUES ('change', NEW.action, NEW.project_id, endpoint, ARRAY[NEW.id], 1);
  RETURN NULL;
END $$;
CREATE TRIGGER events_arrival AFTER INSERT ON audit_auditevent
  FOR EACH ROW WHEN (NEW.project_id IS NOT NULL) EXECUTE FUNCTION events_note_change();
"""
BACKWARD = """
DROP TRIGGER events_arrival ON audit_auditevent;
DROP TRIGGER events_arrival ON predictions_feedback;
DROP TRIGGER events_arrival ON predictions_prediction;
DROP FUNCTION events_note_change();
DROP FUNCTION events_note_feedback();
DROP FUNCTION events_note_predictions();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_initial"),
        ("audit", "0001_initial"),
        ("endpoints", "0004_rollouts"),
        ("predictions", "0005_roles"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
