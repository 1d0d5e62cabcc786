-- title: A foreign key changes rows that policies hide
-- level: error
-- why: ON DELETE and ON UPDATE actions run with the rights of the tables' owner. Where the key
--   leaves out the identity, an attacker who deletes a row of its own also deletes, or empties,
--   rows of other tenants that point at it. A key that sets the identity itself to a fixed default
--   hands the rows over to whoever that names.
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
--   -- a key without the identity does nothing where no policy lets anybody delete
--   CREATE TABLE {schema}.hk_good_room (id integer PRIMARY KEY, tenant text NOT NULL);
--   CREATE TABLE {schema}.hk_good_seat (room integer, tenant text NOT NULL,
--   FOREIGN KEY (room) REFERENCES {schema}.hk_good_room (id) ON DELETE CASCADE);
--   ALTER TABLE {schema}.hk_good_room ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_room FORCE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_seat ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_seat FORCE ROW LEVEL SECURITY;
--   CREATE POLICY look ON {schema}.hk_good_room FOR SELECT TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY own ON {schema}.hk_good_seat TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, DELETE ON {schema}.hk_good_room TO {role};
WITH let_through AS (
    -- With row-level security, a role changes no row unless a permissive policy lets it through.
    -- One for PUBLIC (0) counts for the logins as well: they may have been granted the rest.
    SELECT p.polrelid AS parent_oid, w.privilege, h.role
    FROM pg_catalog.pg_policy AS p
    INNER JOIN (
        VALUES ('d', 'DELETE'), ('w', 'UPDATE'), ('*', 'DELETE'), ('*', 'UPDATE')
    ) AS w (command, privilege) ON p.polcmd::text = w.command
    INNER JOIN hk_policy_named AS n ON p.oid = n.policy_oid
    INNER JOIN hk_reach AS h ON n.named IN (0, h.oid)
    WHERE p.polpermissive
)

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
    SELECT a.oid, a.attnum, a.privilege, a.role, a.role_object FROM hk_access AS a
    UNION ALL
    -- The rows of a table elsewhere may be deleted, or given another key, by whoever was granted it.
    SELECT o.parent_oid, 0, w.privilege, r.oid, r.object
    FROM (SELECT DISTINCT f.parent_oid FROM hk_foreign_key AS f WHERE NOT f.parent_protected) AS o
    CROSS JOIN hk_role AS r
    CROSS JOIN (VALUES ('DELETE'), ('UPDATE')) AS w (privilege)
    WHERE pg_catalog.has_table_privilege(r.oid, o.parent_oid, w.privilege)
) AS a ON k.parent_oid = a.oid
INNER JOIN pg_catalog.pg_class AS c ON k.parent_oid = c.oid
WHERE
    (
        (a.privilege = 'DELETE' AND k.confdeltype IN ('c', 'n', 'd'))
        OR (
            a.privilege = 'UPDATE'
            AND k.confupdtype IN ('c', 'n', 'd')
            AND (a.attnum = 0 OR a.attnum = ANY (k.confkey))
        )
    )
    AND (
        NOT k.parent_row_security
        OR (a.oid, a.privilege, a.role) IN (
            SELECT l.parent_oid, l.privilege, l.role FROM let_through AS l
        )
        -- Policies do not bind who owns the table, nor who is above them.
        OR (a.role, c.relowner) IN (SELECT h.role, h.oid FROM hk_reach AS h)
        OR a.role IN (
            SELECT h.role FROM hk_reach AS h
            INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
            WHERE r.rolsuper OR r.rolbypassrls
        )
    )
GROUP BY k.object, k.name, k.table_object, k.parent_object, k.confdeltype, k.confupdtype
UNION ALL
SELECT
    pg_catalog.format('%I ON %s', k.conname, t.object),
    pg_catalog.format(
        'it sets %s, by which its policies tell whose a row is, to %s',
        pg_catalog.string_agg(
            DISTINCT pg_catalog.quote_ident(a.attname), ', ' ORDER BY pg_catalog.quote_ident(a.attname)
        ),
        pg_catalog.min(pg_catalog.pg_get_expr(e.adbin, e.adrelid))
    ),
    t.object,
    pg_catalog.format('%I', k.conname)
FROM pg_catalog.pg_constraint AS k
INNER JOIN hk_table AS t ON k.conrelid = t.oid AND t.row_security
INNER JOIN pg_catalog.pg_attribute AS a
    ON
        k.conrelid = a.attrelid
        AND (
            (k.confupdtype = 'd' AND a.attnum = ANY (k.conkey))
            OR (k.confdeltype = 'd' AND a.attnum = ANY (coalesce(k.confdelsetcols, k.conkey)))
        )
INNER JOIN pg_catalog.pg_attrdef AS e ON a.attrelid = e.adrelid AND a.attnum = e.adnum
WHERE
    k.contype = 'f'
    AND k.conparentid = 0
    AND (k.convalidated OR pg_catalog.pg_get_constraintdef(k.oid) NOT LIKE '% NOT ENFORCED')
    AND EXISTS (
        SELECT FROM hk_identity AS i WHERE i.table_oid = t.oid AND i.attnum = a.attnum
    )
    -- A default that asks the session is the acting one's own; NULL is nobody's.
    AND pg_catalog.pg_get_expr(e.adbin, e.adrelid) !~ '^\(?NULL\M'
    AND e.adbin::text !~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR)\M'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.regexp_matches(
            e.adbin::text, ':(?:func|opfunc)id (\d+)', 'g'
        ) AS m (part)
        INNER JOIN pg_catalog.pg_proc AS f ON m.part[1]::oid = f.oid
        WHERE f.provolatile <> 'i'
    )
GROUP BY k.oid, k.conname, t.object
