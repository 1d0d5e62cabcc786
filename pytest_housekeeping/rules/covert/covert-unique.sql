-- title: A unique index tells which values others have
-- level: warning
-- why: uniqueness counts over the rows of all tenants, also those that the policies hide. Where
--   the index leaves out the identity, an attacker inserts guesses: an error 23505 says that
--   somebody has this value.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: {drop};
--   CREATE UNIQUE INDEX ON {table} ({identity}, {columns}){condition};
-- leak: SELECT indexdef FROM pg_catalog.pg_indexes
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${table}$hk$;
--   -- an INSERT of a value that another holds fails with 23505: the index has answered
-- tripwire: CREATE TABLE {schema}.hk_tripwire (mail text, tenant text NOT NULL);
--   CREATE UNIQUE INDEX hk_tripwire_key ON {schema}.hk_tripwire (mail);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire_key
-- good: CREATE TABLE {schema}.hk_good (mail text, tenant text NOT NULL, UNIQUE (tenant, mail));
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT ON {schema}.hk_good TO {role};
SELECT
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
    pg_catalog.format('%s may write %s, and learns which values are taken', w.roles, t.object) AS detail,
    t.object AS table,
    coalesce(
        (
            SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', t.object, k.conname)
            FROM pg_catalog.pg_constraint AS k
            WHERE k.conindid = x.indexrelid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
        ),
        pg_catalog.format('DROP INDEX %I.%I', n.nspname, c.relname)
    ) AS drop,
    coalesce(' WHERE ' || pg_catalog.pg_get_expr(x.indpred, x.indrelid), '') AS condition,
    i.names AS identity,
    (
        SELECT pg_catalog.string_agg(
            pg_catalog.pg_get_indexdef(x.indexrelid, p.place, true), ', ' ORDER BY p.place
        )
        FROM pg_catalog.generate_series(1, x.indnkeyatts) AS p (place)
    ) AS columns,
    CASE WHEN x.indisexclusion THEN pg_catalog.format(
        E'ALTER TABLE %s DROP CONSTRAINT %I;\n-- and add it again, with the identity compared by =',
        t.object,
        c.relname
    ) END AS fix
FROM pg_catalog.pg_index AS x
INNER JOIN hk_table AS t ON x.indrelid = t.oid
INNER JOIN pg_catalog.pg_class AS c ON x.indexrelid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN hk_writer AS w ON t.oid = w.oid
INNER JOIN (
    SELECT
        e.table_oid,
        pg_catalog.array_agg(e.attnum) AS attnums,
        pg_catalog.string_agg(DISTINCT pg_catalog.format('%I', e.name), ', ') AS names
    FROM hk_identity AS e
    GROUP BY e.table_oid
) AS i ON t.oid = i.table_oid
WHERE
    (x.indisunique OR x.indisexclusion)
    AND NOT c.relispartition
    AND t.row_security
    AND (0 = ANY (w.attnums) OR w.attnums && x.indkey::smallint[])
    AND NOT i.attnums && x.indkey::smallint[]
    -- What an exclusion constraint computes of the identity, it depends on.
    AND NOT (x.indisexclusion AND x.indexrelid IN (
        SELECT d.objid FROM pg_catalog.pg_depend AS d
        INNER JOIN hk_identity AS e ON d.refobjid = e.table_oid AND d.refobjsubid = e.attnum
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    ))
    -- A random key cannot be guessed, and a counted one tells no more than the next own key does.
    AND (
        0 = ANY (x.indkey)
        OR EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a
            LEFT JOIN pg_catalog.pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            WHERE
                a.attrelid = t.oid
                AND a.attnum = ANY (x.indkey)
                AND a.atttypid <> 'pg_catalog.uuid'::pg_catalog.regtype
                AND a.attidentity = ''
                AND coalesce(
                    pg_catalog.pg_get_expr(d.adbin, d.adrelid) NOT LIKE '%nextval(%', true
                )
        )
    )
