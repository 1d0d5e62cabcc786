-- What Amazon RDS and Aurora have before the first migration: the roles that administer them. It
-- runs on throwaway servers alone, as superuser, before sql/bootstrap/; sql/bootstrap/rds.sql takes
-- its place, where your server has more. Its head says which extensions the administrators may make:
-- creates: autoinc bloom dblink earthdistance insert_username moddatetime pg_buffercache pg_prewarm
-- creates: pg_freespacemap pg_stat_statements pg_visibility pgaudit pgrowlocks pgstattuple
-- creates: postgis postgres_fdw refint sslinfo vector
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'rds_superuser NOLOGIN CREATEDB CREATEROLE',
        'rds_replication NOLOGIN',
        'rds_password NOLOGIN',
        'rds_iam NOLOGIN'
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles WHERE rolname = split_part(made, ' ', 1)
        ) THEN
            EXECUTE 'CREATE ROLE ' || made;
        END IF;
    END LOOP;
END;
$$;
GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;
