-- title: A foreign key tells which rows of others exist
-- level: warning
-- why: foreign keys are checked with the rights of the tables' owner, past the policies. Where
--   the key leaves out the identity, an attacker inserts guesses: the ones that are accepted
--   exist, whoever owns them, and its own row then hangs on another tenant's.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {table} DROP CONSTRAINT {constraint};
--   -- and add it again with the identity's column on both sides, over a unique key that has it
-- leak: SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
--   WHERE conrelid = $hk${table}$hk$::pg_catalog.regclass AND contype = 'f';
--   -- an INSERT that names another's row succeeds, one that names none fails: the key has answered
-- tripwire: CREATE TABLE {schema}.hk_tripwire_parent (id integer PRIMARY KEY, tenant text NOT NULL);
--   CREATE TABLE {schema}.hk_tripwire (parent integer, tenant text NOT NULL,
--   CONSTRAINT hk_tripwire FOREIGN KEY (parent) REFERENCES {schema}.hk_tripwire_parent (id));
--   ALTER TABLE {schema}.hk_tripwire_parent ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_tripwire_parent TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY own ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT ON {schema}.hk_tripwire TO {role};
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good_parent (id integer, tenant text, PRIMARY KEY (tenant, id));
--   CREATE TABLE {schema}.hk_good (parent integer, tenant text NOT NULL,
--   FOREIGN KEY (tenant, parent) REFERENCES {schema}.hk_good_parent (tenant, id));
--   ALTER TABLE {schema}.hk_good_parent ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_parent FORCE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good_parent TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT ON {schema}.hk_good TO {role};
SELECT
    pg_catalog.format('%I ON %s', k.conname, t.object) AS object,
    pg_catalog.format(
        '%s may write it, and learns which rows of %s exist',
        w.roles,
        f.object
    ) AS detail,
    t.object AS table,
    pg_catalog.format('%I', k.conname) AS constraint
FROM pg_catalog.pg_constraint AS k
INNER JOIN hk_table AS t ON k.conrelid = t.oid
INNER JOIN hk_any_table AS f ON k.confrelid = f.oid
INNER JOIN (
    SELECT
        a.oid,
        pg_catalog.array_agg(DISTINCT a.attnum) AS attnums,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ') AS roles
    FROM hk_access AS a
    WHERE a.privilege IN ('INSERT', 'UPDATE')
    GROUP BY a.oid
) AS w ON t.oid = w.oid
WHERE
    k.contype = 'f'
    AND k.conparentid = 0
    AND f.row_security
    AND t.row_security
    AND (0 = ANY (w.attnums) OR w.attnums && k.conkey)
    -- The identity is part of the key, or the policy has looked at the other table already.
    AND NOT EXISTS (
        SELECT FROM hk_identity AS i
        WHERE i.table_oid = t.oid AND i.attnum = ANY (k.conkey)
    )
    AND NOT EXISTS (
        SELECT FROM hk_policy_reads AS r
        WHERE r.table_oid = t.oid AND r.relation_oid = f.oid
    )
    -- A random key cannot be guessed.
    AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE
            a.attrelid = t.oid
            AND a.attnum = ANY (k.conkey)
            AND a.atttypid <> 'pg_catalog.uuid'::pg_catalog.regtype
    )
