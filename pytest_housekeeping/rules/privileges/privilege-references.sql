-- title: An untrusted role may point foreign keys at a protected table
-- level: error
-- why: a foreign key is checked without row-level security. With REFERENCES an attacker makes a
--   table of its own that points at this one, tries values until one is accepted, and so learns
--   which keys of other tenants exist; and it keeps them from deleting their rows.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE REFERENCES ON {object} FROM {grantee};
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT REFERENCES ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.hk_good TO {role};
SELECT
    p.object,
    pg_catalog.format('%s holds REFERENCES on it', p.grantee) AS detail,
    p.grantee,
    p.fix
FROM hk_table_privilege AS p
WHERE p.privilege = 'REFERENCES'
