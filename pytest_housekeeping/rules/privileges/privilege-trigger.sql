-- title: An untrusted role may put triggers on a protected table
-- level: error
-- why: a trigger runs with the rights of whoever changes the table. With TRIGGER an attacker adds a
--   function of its own, which then sees, changes and copies the rows that other roles write.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE TRIGGER ON {object} FROM {grantee};
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT TRIGGER ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.hk_good TO {role};
SELECT
    p.object,
    pg_catalog.format('%s holds TRIGGER on it', p.grantee) AS detail,
    p.grantee,
    p.fix
FROM hk_table_privilege AS p
WHERE p.privilege = 'TRIGGER'
