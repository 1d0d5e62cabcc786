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
    pg_catalog.format('%I ON %I.%I', w.rulename, n.nspname, c.relname) AS object,
    pg_catalog.format(
        'it reads or writes %s as %I',
        pg_catalog.string_agg(DISTINCT d.refobjid::pg_catalog.regclass::text, ', '),
        r.rolname
    ) AS detail
FROM pg_catalog.pg_rewrite AS w
INNER JOIN pg_catalog.pg_class AS c ON w.ev_class = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_catalog.pg_roles AS r ON c.relowner = r.oid
INNER JOIN pg_catalog.pg_depend AS d ON w.oid = d.objid
WHERE
    w.ev_type <> '1'
    AND w.ev_enabled <> 'D'
    AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid <> w.ev_class
    AND (
        w.ev_class IN (SELECT t.oid FROM hk_table AS t)
        OR d.refobjid IN (SELECT t.oid FROM hk_table AS t)
    )
GROUP BY w.rulename, n.nspname, c.relname, r.rolname
