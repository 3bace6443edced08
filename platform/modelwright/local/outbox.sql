-- Every registration and every alias in MLflow, in the transaction that made it. The platform's watcher reads the rows
-- and sets imported_at. Running this file again changes nothing.

CREATE TABLE IF NOT EXISTS modelwright_outbox (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    workspace text NOT NULL,
    name text NOT NULL,
    version int,
    alias text,
    payload jsonb NOT NULL,
    imported_at timestamptz
);

-- Ids are not handed out in the order of commits, so a reader must look for what is not imported, never for id > last.
CREATE INDEX IF NOT EXISTS modelwright_outbox_waiting ON modelwright_outbox (id) WHERE imported_at IS NULL;

CREATE OR REPLACE FUNCTION modelwright_version_to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO modelwright_outbox (kind, workspace, name, version, payload)
    VALUES (CASE TG_OP WHEN 'INSERT' THEN 'version_created' ELSE 'version_changed' END,
            NEW.workspace, NEW.name, NEW.version, to_jsonb(NEW));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION modelwright_alias_to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO modelwright_outbox (kind, workspace, name, version, alias, payload)
        VALUES ('alias_removed', OLD.workspace, OLD.name, OLD.version, OLD.alias, to_jsonb(OLD));
    ELSE
        INSERT INTO modelwright_outbox (kind, workspace, name, version, alias, payload)
        VALUES ('alias_set', NEW.workspace, NEW.name, NEW.version, NEW.alias, to_jsonb(NEW));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER modelwright_outbox_version AFTER INSERT OR UPDATE ON model_versions
    FOR EACH ROW EXECUTE FUNCTION modelwright_version_to_outbox();

CREATE OR REPLACE TRIGGER modelwright_outbox_alias AFTER INSERT OR UPDATE OR DELETE ON registered_model_aliases
    FOR EACH ROW EXECUTE FUNCTION modelwright_alias_to_outbox();
