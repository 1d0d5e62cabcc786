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
    k.object,
    pg_catalog.format(
        '%s may write it, and learns which rows of %s exist', w.roles, k.parent_object
    ) AS detail,
    k.table_object AS table,
    k.name AS constraint
FROM hk_foreign_key AS k
INNER JOIN hk_writer AS w ON k.table_oid = w.oid
WHERE
    k.parent_row_security
    AND k.parent_protected
    AND (0 = ANY (w.attnums) OR w.attnums && k.conkey)
    -- A random key cannot be guessed.
    AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE
            a.attrelid = k.table_oid
            AND a.attnum = ANY (k.conkey)
            AND a.atttypid <> 'pg_catalog.uuid'::pg_catalog.regtype
    )
