-- What a Supabase project has before its first migration, as far as migrations and policies use it:
-- the roles of its API with their attributes there, the schemas auth, storage, realtime and
-- extensions, and their functions. It runs on throwaway servers alone, as superuser, before
-- sql/bootstrap/; sql/bootstrap/supabase.sql takes its place, where a project has more.
-- extensions: pgcrypto uuid-ossp
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'anon NOLOGIN',
        'authenticated NOLOGIN',
        'service_role NOLOGIN BYPASSRLS',
        'authenticator LOGIN NOINHERIT',
        'supabase_admin LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS',
        'supabase_auth_admin LOGIN NOINHERIT CREATEROLE',
        'supabase_storage_admin LOGIN NOINHERIT CREATEROLE',
        'dashboard_user NOLOGIN CREATEDB CREATEROLE REPLICATION'
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles WHERE rolname = split_part(made, ' ', 1)
        ) THEN
            EXECUTE 'CREATE ROLE ' || made;
        END IF;
    END LOOP;
END;
$$;
GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role TO {migrator};

CREATE SCHEMA IF NOT EXISTS auth AUTHORIZATION supabase_auth_admin;
CREATE SCHEMA IF NOT EXISTS storage AUTHORIZATION supabase_storage_admin;
CREATE SCHEMA IF NOT EXISTS extensions;
GRANT USAGE ON SCHEMA auth, storage, extensions TO anon, authenticated, service_role, {migrator};
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;

CREATE TABLE IF NOT EXISTS auth.users (
    instance_id uuid,
    id uuid PRIMARY KEY,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    last_sign_in_at timestamptz,
    phone text,
    phone_confirmed_at timestamptz,
    banned_until timestamptz,
    is_sso_user boolean NOT NULL DEFAULT false,
    is_anonymous boolean NOT NULL DEFAULT false,
    deleted_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    created_at timestamptz,
    updated_at timestamptz
);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
GRANT SELECT, REFERENCES, TRIGGER ON auth.users TO {migrator};

CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;
CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
$$;
CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
$$;

CREATE TABLE IF NOT EXISTS storage.buckets (
    id text PRIMARY KEY,
    name text NOT NULL,
    owner uuid,
    public boolean DEFAULT false,
    file_size_limit bigint,
    allowed_mime_types text[],
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS storage.objects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bucket_id text REFERENCES storage.buckets (id),
    name text,
    owner uuid,
    owner_id text,
    metadata jsonb,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
-- There it is the migrating role that owns them, for it may make policies on them.
ALTER TABLE storage.buckets OWNER TO {migrator};
ALTER TABLE storage.objects OWNER TO {migrator};
GRANT ALL ON storage.buckets, storage.objects TO anon, authenticated, service_role;
CREATE OR REPLACE FUNCTION storage.foldername(name text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT (string_to_array(name, '/'))[1:array_length(string_to_array(name, '/'), 1) - 1]
$$;
CREATE OR REPLACE FUNCTION storage.filename(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)]
$$;
CREATE OR REPLACE FUNCTION storage.extension(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT reverse(split_part(reverse(name), '.', 1))
$$;

CREATE SCHEMA IF NOT EXISTS realtime;
GRANT USAGE ON SCHEMA realtime TO anon, authenticated, service_role, {migrator};
CREATE TABLE IF NOT EXISTS realtime.messages (
    topic text NOT NULL,
    extension text NOT NULL,
    payload jsonb,
    event text,
    private boolean DEFAULT false,
    updated_at timestamp NOT NULL DEFAULT now(),
    inserted_at timestamp NOT NULL DEFAULT now(),
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);
ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE realtime.messages OWNER TO {migrator};
CREATE OR REPLACE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('realtime.topic', true), '')::text
$$;

DO $$
DECLARE
    known text;
BEGIN
    FOR known IN
        SELECT name FROM pg_catalog.pg_available_extensions
        WHERE name IN ('pgcrypto', 'uuid-ossp')
    LOOP
        EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA extensions', known);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'uuid-ossp') THEN
        CREATE OR REPLACE FUNCTION extensions.uuid_generate_v4() RETURNS uuid
        LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'supabase_realtime') THEN
        CREATE PUBLICATION supabase_realtime;
        ALTER PUBLICATION supabase_realtime OWNER TO {migrator};
    END IF;
    EXECUTE format('ALTER DATABASE %I SET search_path = "$user", public, extensions', current_database());
END;
$$;

-- Whatever a migration makes in public, the API may use: row-level security is what protects it.
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
