"""Tripwires fire whatever a sound project has set up: nothing of it reaches where they stand.

One run for all kinds that could keep a tripwire from being planted in the project's own schema, or
from making a difference there.
"""

from __future__ import annotations

from pathlib import Path

from support.staging_project import Project

# By the superuser, in sql/bootstrap/. What the tool makes itself is left alone.
BOOTSTRAP = """
CREATE PUBLICATION hk_tripwire;
CREATE SCHEMA guard;
CREATE FUNCTION guard.protect_new_tables() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT * FROM pg_event_trigger_ddl_commands()
        WHERE command_tag = 'CREATE TABLE' AND schema_name NOT IN ('housekeeping', 'pg_temp')
    LOOP
        EXECUTE 'ALTER TABLE ' || made.object_identity || ' ENABLE ROW LEVEL SECURITY';
        EXECUTE 'ALTER TABLE ' || made.object_identity || ' FORCE ROW LEVEL SECURITY';
    END LOOP;
END;
$$;
CREATE FUNCTION guard.refuse_names() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_event_trigger_ddl_commands()
        WHERE object_identity ~ 'hk_(tripwire|schema|held)'
    ) THEN
        RAISE EXCEPTION 'no object may be called that';
    END IF;
END;
$$;
GRANT USAGE ON SCHEMA guard TO PUBLIC;
CREATE EVENT TRIGGER protect_new_tables ON ddl_command_end
EXECUTE FUNCTION guard.protect_new_tables();
CREATE EVENT TRIGGER refuse_names ON ddl_command_end EXECUTE FUNCTION guard.refuse_names();
ALTER EVENT TRIGGER refuse_names ENABLE ALWAYS;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE hk_migrator REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE hk_migrator REVOKE USAGE ON TYPES FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;
SELECT pg_catalog.lo_create(4123456789);
"""
# By the migrating role, in a migration.
SETTINGS = """
CREATE SCHEMA tools;
CREATE FUNCTION tools.current_setting(text, boolean) RETURNS text
LANGUAGE sql AS 'SELECT NULL::text';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = tools, pg_catalog', current_database());
END $$;
ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO desk_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT USAGE, SELECT ON SEQUENCES TO desk_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA vault REVOKE ALL ON TABLES FROM hk_migrator;
"""


def test_nothing_that_a_sound_project_sets_up_keeps_a_tripwire_from_firing(
    tmp_path: Path,
) -> None:
    files = {
        "sql/bootstrap/zz_guards.sql": BOOTSTRAP,
        "sql/migrations/0002_settings.sql": SETTINGS,
    }
    run = Project.make(tmp_path, "tenants", files).run()
    assert run.code == 0, run.output
    tripwires = [run.steps[step] for step in run.steps if step.startswith("tripwire::")]
    assert len(tripwires) > 60
    assert set(tripwires) == {"passed"}
