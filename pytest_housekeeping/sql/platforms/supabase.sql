-- What a Supabase project has before its first migration, as far as migrations and policies use it:
-- the roles of its API with their attributes there, the schemas auth, storage, realtime, vault and
-- extensions, and what stands in them. It runs on throwaway servers alone, as superuser, before
-- sql/bootstrap/; sql/bootstrap/supabase.sql takes its place, where a project has more. What these
-- lines say, the settings of a project say otherwise where they name it:
-- extensions: pgcrypto uuid-ossp
-- creates: autoinc bloom dblink earthdistance insert_username moddatetime pg_buffercache pg_prewarm
-- creates: pg_stat_statements pg_walinspect pgrowlocks pgstattuple postgres_fdw refint sslinfo vector
-- creates: hypopg pg_jsonschema pgaudit plpgsql_check postgis rum
-- migrator: postgres
-- superuser: supabase_admin
-- database: postgres
-- search_path: "$user", public, extensions
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
        'supabase_replication_admin LOGIN REPLICATION',
        'supabase_read_only_user LOGIN BYPASSRLS',
        'supabase_realtime_admin NOLOGIN NOINHERIT',
        'supabase_functions_admin LOGIN NOINHERIT CREATEROLE',
        'pgbouncer LOGIN',
        'dashboard_user NOLOGIN CREATEDB CREATEROLE REPLICATION'
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles WHERE rolname = split_part(made, ' ', 1)
        ) THEN
            EXECUTE 'CREATE ROLE ' || made;
        END IF;
    END LOOP;
    -- The migrating role: no superuser, and row-level security does not bind it.
    ALTER ROLE {migrator} CREATEDB CREATEROLE REPLICATION BYPASSRLS;
    EXECUTE format('GRANT ALL ON DATABASE %I TO {migrator}, dashboard_user', current_database());
END;
$$;
GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role TO {migrator};
-- So it may make triggers on what the one owns, and policies on what the other does.
GRANT supabase_auth_admin, supabase_storage_admin TO {migrator};
GRANT supabase_realtime_admin TO {migrator};
GRANT pg_monitor, pg_read_all_data, pg_signal_backend TO {migrator};
GRANT pg_read_all_data TO supabase_read_only_user;
GRANT authenticator TO supabase_storage_admin;

CREATE SCHEMA IF NOT EXISTS auth AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS storage AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS realtime AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS vault AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS extensions AUTHORIZATION {migrator};
CREATE SCHEMA IF NOT EXISTS graphql AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS graphql_public AUTHORIZATION supabase_admin;
GRANT USAGE ON SCHEMA auth, storage, realtime, extensions, public, graphql, graphql_public
TO anon, authenticated, service_role, {migrator};
GRANT ALL ON SCHEMA auth, storage, extensions TO {migrator}, dashboard_user;
GRANT ALL ON SCHEMA auth TO supabase_auth_admin;
GRANT ALL ON SCHEMA storage TO supabase_storage_admin;
GRANT ALL ON SCHEMA realtime TO supabase_realtime_admin;
GRANT USAGE ON SCHEMA vault TO {migrator}, service_role;

DO $$
DECLARE
    known text;
BEGIN
    FOR known IN
        SELECT name FROM pg_catalog.pg_available_extensions
        WHERE name IN ('pgcrypto', 'uuid-ossp', 'pg_stat_statements')
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

CREATE TABLE IF NOT EXISTS auth.users (
    instance_id uuid,
    id uuid PRIMARY KEY,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255),
    confirmation_sent_at timestamptz,
    recovery_token varchar(255),
    recovery_sent_at timestamptz,
    email_change_token_new varchar(255),
    email_change varchar(255),
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text UNIQUE DEFAULT NULL,
    phone_confirmed_at timestamptz,
    phone_change text DEFAULT '',
    phone_change_token varchar(255) DEFAULT '',
    phone_change_sent_at timestamptz,
    confirmed_at timestamptz GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
    email_change_token_current varchar(255) DEFAULT '',
    email_change_confirm_status smallint DEFAULT 0,
    banned_until timestamptz,
    reauthentication_token varchar(255) DEFAULT '',
    reauthentication_sent_at timestamptz,
    is_sso_user boolean NOT NULL DEFAULT false,
    deleted_at timestamptz,
    is_anonymous boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX IF NOT EXISTS users_email_partial_key ON auth.users (email)
WHERE is_sso_user = false;
CREATE TABLE IF NOT EXISTS auth.identities (
    provider_id text NOT NULL,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    identity_data jsonb NOT NULL,
    provider text NOT NULL,
    last_sign_in_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    UNIQUE (provider_id, provider)
);
CREATE TABLE IF NOT EXISTS auth.sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal text,
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text
);
CREATE TABLE IF NOT EXISTS auth.refresh_tokens (
    instance_id uuid,
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    token varchar(255) UNIQUE,
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid REFERENCES auth.sessions (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS auth.mfa_factors (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    friendly_name text,
    factor_type text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    secret text,
    phone text
);
CREATE TABLE IF NOT EXISTS auth.audit_log_entries (
    instance_id uuid,
    id uuid PRIMARY KEY,
    payload json,
    created_at timestamptz,
    ip_address varchar(64) NOT NULL DEFAULT ''
);
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'users', 'identities', 'sessions', 'refresh_tokens', 'mfa_factors', 'audit_log_entries'
    ] LOOP
        EXECUTE format('ALTER TABLE auth.%I OWNER TO supabase_auth_admin', made);
        EXECUTE format('ALTER TABLE auth.%I ENABLE ROW LEVEL SECURITY', made);
        EXECUTE format('GRANT ALL ON auth.%I TO {migrator}, dashboard_user', made);
    END LOOP;
END;
$$;

CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;
CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;
CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
    )
$$;
CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
    )
$$;
ALTER FUNCTION auth.jwt() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.uid() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.role() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.email() OWNER TO supabase_auth_admin;

CREATE TABLE IF NOT EXISTS storage.buckets (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    owner uuid,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    public boolean DEFAULT false,
    avif_autodetection boolean DEFAULT false,
    file_size_limit bigint,
    allowed_mime_types text[],
    owner_id text
);
CREATE TABLE IF NOT EXISTS storage.objects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bucket_id text REFERENCES storage.buckets (id),
    name text,
    owner uuid,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    last_accessed_at timestamptz DEFAULT now(),
    metadata jsonb,
    path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/')) STORED,
    version text,
    owner_id text,
    user_metadata jsonb,
    UNIQUE (bucket_id, name)
);
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets OWNER TO supabase_storage_admin;
ALTER TABLE storage.objects OWNER TO supabase_storage_admin;
GRANT ALL ON storage.buckets, storage.objects TO anon, authenticated, service_role, {migrator};
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
CREATE OR REPLACE FUNCTION storage.operation() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT current_setting('storage.operation', true)
$$;
ALTER FUNCTION storage.foldername(text) OWNER TO supabase_storage_admin;
ALTER FUNCTION storage.filename(text) OWNER TO supabase_storage_admin;
ALTER FUNCTION storage.extension(text) OWNER TO supabase_storage_admin;
ALTER FUNCTION storage.operation() OWNER TO supabase_storage_admin;

CREATE TABLE IF NOT EXISTS realtime.messages (
    topic text NOT NULL,
    extension text NOT NULL,
    payload jsonb,
    event text,
    private boolean DEFAULT false,
    updated_at timestamp NOT NULL DEFAULT now(),
    inserted_at timestamp NOT NULL DEFAULT now(),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    PRIMARY KEY (id, inserted_at)
) PARTITION BY RANGE (inserted_at);
ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE realtime.messages OWNER TO supabase_realtime_admin;
GRANT SELECT, INSERT, UPDATE ON realtime.messages TO anon, authenticated, service_role;
GRANT ALL ON realtime.messages TO {migrator}, dashboard_user;
CREATE OR REPLACE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('realtime.topic', true), '')::text
$$;
CREATE OR REPLACE FUNCTION realtime.send(
    payload jsonb, event text, topic text, private boolean DEFAULT true
) RETURNS void LANGUAGE sql AS $$
    SELECT
$$;
CREATE OR REPLACE FUNCTION realtime.broadcast_changes(
    topic_name text,
    event_name text,
    operation text,
    table_name text,
    table_schema text,
    new record,
    old record,
    level text DEFAULT 'ROW'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
END;
$$;

CREATE TABLE IF NOT EXISTS vault.secrets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text UNIQUE,
    description text NOT NULL DEFAULT '',
    secret text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE VIEW vault.decrypted_secrets AS
SELECT id, name, description, secret, secret AS decrypted_secret, created_at, updated_at
FROM vault.secrets;
CREATE OR REPLACE FUNCTION vault.create_secret(
    new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT ''
) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO vault.secrets (secret, name, description)
    VALUES (new_secret, new_name, new_description) RETURNING id
$$;
REVOKE ALL ON FUNCTION vault.create_secret(text, text, text) FROM public;
GRANT EXECUTE ON FUNCTION vault.create_secret(text, text, text) TO {migrator}, service_role;
GRANT SELECT, DELETE ON vault.secrets, vault.decrypted_secrets TO {migrator}, service_role;

-- Whatever a migration makes in public, the API may use: row-level security is what protects it.
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON TABLES TO {migrator}, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON SEQUENCES TO {migrator}, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA public
GRANT ALL ON FUNCTIONS TO {migrator}, anon, authenticated, service_role;
