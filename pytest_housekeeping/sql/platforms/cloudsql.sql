-- What Google Cloud SQL has before the first migration: the roles that administer it. It runs on
-- throwaway servers alone, as superuser, before sql/bootstrap/; sql/bootstrap/cloudsql.sql takes its
-- place, where your server has more. Its head says which extensions the administrators may make:
-- creates: amcheck autoinc bloom dblink earthdistance insert_username moddatetime pg_buffercache
-- creates: pg_freespacemap pg_prewarm pg_stat_statements pg_visibility pgaudit pgrowlocks
-- creates: pgstattuple postgis postgres_fdw refint sslinfo vector
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'cloudsqlsuperuser NOLOGIN CREATEDB CREATEROLE',
        'cloudsqlagent NOLOGIN',
        'cloudsqlimportexport NOLOGIN CREATEDB CREATEROLE',
        'cloudsqliamuser NOLOGIN',
        'cloudsqliamserviceaccount NOLOGIN'
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles WHERE rolname = split_part(made, ' ', 1)
        ) THEN
            EXECUTE 'CREATE ROLE ' || made;
        END IF;
    END LOOP;
END;
$$;
GRANT pg_monitor, pg_signal_backend TO cloudsqlsuperuser WITH ADMIN OPTION;
