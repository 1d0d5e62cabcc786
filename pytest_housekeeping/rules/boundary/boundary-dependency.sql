-- title: An object is built on one on the other side of the boundary
-- level: error
-- why: a foreign key answers whether a row of the other side exists, and holds it there; a
--   partition or child shows its rows through the parent; a type, default, check, index
--   expression, policy or trigger that reaches across runs the other side's code on this side's
--   rows. A migration of one side then breaks the other.
--   https://www.postgresql.org/docs/16/ddl-depend.html
-- fix: -- take out of {object} what it needs of the other side
-- leak: SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) AS object,
--   pg_catalog.pg_describe_object(refclassid, refobjid, refobjsubid) AS needs
--   FROM pg_catalog.pg_depend WHERE deptype = 'n' AND objid >= 16384 ORDER BY 1, 2;
-- examines: hk_target_relation
-- tripwire: CREATE TABLE {target_schema}.hk_tripwire (id integer PRIMARY KEY);
--   CREATE TABLE {source_schema}.hk_tripwire (id integer);
--   ALTER TABLE {source_schema}.hk_tripwire ADD CONSTRAINT hk_tripwire_key
--   FOREIGN KEY (id) REFERENCES {target_schema}.hk_tripwire (id);
-- tripwire-object: hk_tripwire_key on {source_schema}.hk_tripwire
-- good: CREATE TABLE {target_schema}.hk_good (id integer PRIMARY KEY);
--   CREATE TABLE {source_schema}.hk_good (id integer PRIMARY KEY);
SELECT
    i.identity AS object,
    pg_catalog.format(
        'this %s %s needs the %s %s',
        i.type,
        CASE c.outward
            WHEN true THEN 'of the source' WHEN false THEN 'of the target'
            ELSE 'that the source writes to'
        END,
        pg_catalog.min(r.type),
        pg_catalog.string_agg(DISTINCT r.identity, ', ' ORDER BY r.identity)
    ) AS detail,
    CASE i.type
        WHEN 'table constraint' THEN pg_catalog.format(
            'ALTER TABLE %s DROP CONSTRAINT %I;',
            k.conrelid::pg_catalog.regclass, k.conname
        )
        WHEN 'view' THEN pg_catalog.format('DROP VIEW %s;', i.identity)
        WHEN 'materialized view' THEN pg_catalog.format('DROP MATERIALIZED VIEW %s;', i.identity)
        WHEN 'policy' THEN pg_catalog.format(
            'DROP POLICY %I ON %s;', p.polname, p.polrelid::pg_catalog.regclass
        )
        WHEN 'trigger' THEN pg_catalog.format(
            'DROP TRIGGER %I ON %s;', g.tgname, g.tgrelid::pg_catalog.regclass
        )
        WHEN 'function' THEN pg_catalog.format('DROP FUNCTION %s;', i.identity)
        WHEN 'aggregate' THEN pg_catalog.format('DROP AGGREGATE %s;', i.identity)
        WHEN 'operator' THEN pg_catalog.format('DROP OPERATOR %s;', i.identity)
        WHEN 'cast' THEN pg_catalog.format('DROP CAST %s;', i.identity)
        WHEN 'default value' THEN pg_catalog.format(
            'ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT;',
            v.attrelid::pg_catalog.regclass, v.attname
        )
    END AS fix
FROM hk_crossing AS c
LEFT JOIN pg_catalog.pg_rewrite AS w
    ON c.objid = w.oid AND c.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_constraint AS k
    ON c.objid = k.oid AND c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_policy AS p
    ON c.objid = p.oid AND c.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_trigger AS g
    ON c.objid = g.oid AND c.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
LEFT JOIN (
    SELECT e.oid, a.attrelid, a.attname
    FROM pg_catalog.pg_attrdef AS e
    INNER JOIN pg_catalog.pg_attribute AS a ON e.adrelid = a.attrelid AND e.adnum = a.attnum
) AS v ON c.objid = v.oid AND c.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
CROSS JOIN LATERAL pg_catalog.pg_identify_object(
    CASE WHEN w.oid IS NULL THEN c.classid ELSE 'pg_catalog.pg_class'::pg_catalog.regclass END,
    coalesce(w.ev_class, c.objid),
    CASE WHEN w.oid IS NULL THEN c.objsubid ELSE 0 END
) AS i
CROSS JOIN LATERAL pg_catalog.pg_identify_object(c.refclassid, c.refobjid, 0) AS r
GROUP BY
    i.identity, i.type, c.outward, k.conrelid, k.conname, p.polname, p.polrelid, g.tgname, g.tgrelid,
    v.attrelid, v.attname
