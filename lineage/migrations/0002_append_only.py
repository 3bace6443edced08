"""Nodes and edges are only ever inserted."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION lineage_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'lineage is append-only';
END $$;
CREATE TRIGGER lineage_node_append_only BEFORE UPDATE OR DELETE ON lineage_node
  FOR EACH ROW EXECUTE FUNCTION lineage_refuse_change();
CREATE TRIGGER lineage_edge_append_only BEFORE UPDATE OR DELETE ON lineage_edge
  FOR EACH ROW EXECUTE FUNCTION lineage_refuse_change();
"""
BACKWARD = """
DROP TRIGGER lineage_node_append_only ON lineage_node;
DROP TRIGGER lineage_edge_append_only ON lineage_edge;
DROP FUNCTION lineage_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("lineage", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
