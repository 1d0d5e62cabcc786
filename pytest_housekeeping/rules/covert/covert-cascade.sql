-- title: A foreign key changes rows that policies hide
-- level: error
-- why: ON DELETE and ON UPDATE actions run with the rights of the tables' owner. Where the key
--   leaves out the identity, an attacker who deletes a row of its own also deletes, or empties,
--   rows of other tenants that point at it.
--   https://www.postgresql.org/docs/16/ddl-constraints.html
-- fix: ALTER TABLE {table} DROP CONSTRAINT {constraint};
--   -- and add it again with the identity's column on both sides, or with NO ACTION
-- leak: SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
--   WHERE conrelid = $hk${table}$hk$::pg_catalog.regclass AND contype = 'f';
-- tripwire: CREATE TABLE {schema}.hk_tripwire_parent (id integer PRIMARY KEY, tenant text NOT NULL);
--   CREATE TABLE {schema}.hk_tripwire (parent integer, tenant text NOT NULL,
--   CONSTRAINT hk_tripwire FOREIGN KEY (parent) REFERENCES {schema}.hk_tripwire_parent (id)
--   ON DELETE CASCADE);
--   ALTER TABLE {schema}.hk_tripwire_parent ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_tripwire_parent TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY own ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, DELETE ON {schema}.hk_tripwire_parent TO {role};
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good_parent (id integer, tenant text, PRIMARY KEY (tenant, id));
--   CREATE TABLE {schema}.hk_good (parent integer, tenant text NOT NULL,
--   FOREIGN KEY (tenant, parent) REFERENCES {schema}.hk_good_parent (tenant, id) ON DELETE CASCADE);
--   ALTER TABLE {schema}.hk_good_parent ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_parent FORCE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good_parent TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, DELETE ON {schema}.hk_good_parent TO {role};
SELECT
    k.object,
    pg_catalog.format(
        '%s may change %s, and with it rows of others here (%s)',
        pg_catalog.string_agg(DISTINCT a.role_object, ', '),
        k.parent_object,
        pg_catalog.concat_ws(
            ', ',
            CASE k.confdeltype
                WHEN 'c' THEN 'ON DELETE CASCADE' WHEN 'n' THEN 'ON DELETE SET NULL'
                WHEN 'd' THEN 'ON DELETE SET DEFAULT'
            END,
            CASE k.confupdtype
                WHEN 'c' THEN 'ON UPDATE CASCADE' WHEN 'n' THEN 'ON UPDATE SET NULL'
                WHEN 'd' THEN 'ON UPDATE SET DEFAULT'
            END
        )
    ) AS detail,
    k.table_object AS table,
    k.name AS constraint
FROM hk_foreign_key AS k
INNER JOIN (
    SELECT a.oid, a.attnum, a.privilege, a.role_object FROM hk_access AS a
    UNION ALL
    -- The rows of a table elsewhere may be deleted, or given another key, by whoever was granted it.
    SELECT o.parent_oid, 0, w.privilege, r.object
    FROM (SELECT DISTINCT f.parent_oid FROM hk_foreign_key AS f WHERE NOT f.parent_protected) AS o
    CROSS JOIN hk_role AS r
    CROSS JOIN (VALUES ('DELETE'), ('UPDATE')) AS w (privilege)
    WHERE pg_catalog.has_table_privilege(r.oid, o.parent_oid, w.privilege)
) AS a ON k.parent_oid = a.oid
WHERE
    (a.privilege = 'DELETE' AND k.confdeltype IN ('c', 'n', 'd'))
    OR (
        a.privilege = 'UPDATE'
        AND k.confupdtype IN ('c', 'n', 'd')
        AND (a.attnum = 0 OR a.attnum = ANY (k.confkey))
    )
GROUP BY k.object, k.name, k.table_object, k.parent_object, k.confdeltype, k.confupdtype
