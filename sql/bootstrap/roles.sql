-- The roles that a real server already has, for a throwaway one.
-- In production they are made once, by whoever runs the server, with passwords or certificates.
-- Roles belong to the whole server, so this file meets roles that another run has left or is
-- making at this moment: what is there is kept, and losing the race to create it is no failure.

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT *
        FROM (VALUES
            -- What the two applications log in as. No password: the throwaway server trusts.
            ('venture_app', 'LOGIN'),
            ('engineering_app', 'LOGIN'),
            -- What people become with SET ROLE: the officer reads the records, the clerk files them.
            ('governance_officer', 'NOLOGIN'),
            ('governance_clerk', 'NOLOGIN')
        ) AS roles (name, login)
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
                EXECUTE format(
                    'CREATE ROLE %I %s NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION',
                    wanted.name, wanted.login
                );
            END IF;
            -- Seeds and checks act as these roles: SET ROLE asks for membership.
            IF NOT pg_catalog.pg_has_role('hk_migrator', wanted.name, 'MEMBER') THEN
                EXECUTE format('GRANT %I TO hk_migrator', wanted.name);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                RAISE NOTICE 'role % was made by another run', wanted.name;
        END;
    END LOOP;
END;
$$;
