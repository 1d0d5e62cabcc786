-- title: A rewrite rule acts as the owner of its table
-- level: error
-- why: what a rule adds to a statement is checked with the rights of the owner of its table, not
--   of the role that asks: an attacker's INSERT then writes to tables that it may not touch, and
--   by the owner's policies.
--   https://www.postgresql.org/docs/16/rules-privileges.html
-- fix: DROP RULE {object};
-- leak: SELECT definition FROM pg_catalog.pg_rules
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- examines: hk_any_table
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE TABLE {schema}.hk_tripwire_log (id integer);
--   CREATE RULE hk_tripwire AS ON INSERT TO {schema}.hk_tripwire
--   DO ALSO INSERT INTO {schema}.hk_tripwire_log VALUES (new.id);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE RULE hk_good AS ON DELETE TO {schema}.hk_good DO INSTEAD NOTHING;
SELECT
    w.object,
    pg_catalog.format(
        'it reads or writes %s as %I',
        pg_catalog.string_agg(DISTINCT d.refobjid::pg_catalog.regclass::text, ', '),
        r.rolname
    ) AS detail
FROM hk_rule AS w
INNER JOIN pg_catalog.pg_rewrite AS p ON w.oid = p.oid
INNER JOIN pg_catalog.pg_roles AS r ON w.ev_owner = r.oid
INNER JOIN pg_catalog.pg_depend AS d ON w.oid = d.objid
WHERE
    d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND CASE
        WHEN d.refobjid <> w.ev_class
            THEN w.ev_class IN (SELECT t.oid FROM hk_table AS t)
                OR d.refobjid IN (SELECT t.oid FROM hk_table AS t)
        -- Its own table stands in it as OLD and as NEW; a third time it is read or written, which
        -- harms where its owner has all rows of it.
        ELSE pg_catalog.cardinality(
                pg_catalog.string_to_array(p.ev_action::text, ':relid ' || w.ev_class || ' ')
            ) > 3
            AND (
                w.ev_owner IN (SELECT x.oid FROM hk_exempt_role AS x)
                OR (w.ev_owner, w.ev_class) IN (SELECT u.role, u.table_oid FROM hk_unbound AS u)
            )
    END
GROUP BY w.object, r.rolname
