DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'desk_app') THEN
        CREATE ROLE desk_app LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    GRANT desk_app TO hk_migrator;
END;
$$;
