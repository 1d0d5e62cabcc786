-- title: A trigger copies protected rows to where no policy stands
-- level: error
-- why: a trigger that writes what it is given into a table outside the protected schemas makes a
--   second set of the rows, of every tenant. So does a function that a CHECK, a domain, a policy, a
--   generated column, an index or the WHEN of a trigger calls. An untrusted role that may read that
--   table reads there what the policies hide here. A log that nobody untrusted may read is no
--   finding.
--   https://www.postgresql.org/docs/16/plpgsql-trigger.html
-- fix: REVOKE ALL ON {copy} FROM {grantees};
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {copy} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- proof: copies
-- examines: hk_any_table
-- tripwire: CREATE SCHEMA {tripwire_role};
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {role};
--   CREATE TABLE {tripwire_role}.log (line text);
--   GRANT SELECT ON {tripwire_role}.log TO {role};
--   CREATE TABLE {schema}.hk_tripwire (note text);
--   CREATE FUNCTION {schema}.hk_tripwire() RETURNS trigger LANGUAGE plpgsql AS
--   'BEGIN INSERT INTO {tripwire_role}.log VALUES (new.note); RETURN NULL; END';
--   CREATE TRIGGER hk_tripwire AFTER INSERT ON {schema}.hk_tripwire
--   FOR EACH ROW EXECUTE FUNCTION {schema}.hk_tripwire();
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE SCHEMA hk_good_beside;
--   CREATE TABLE hk_good_beside.log (line text);
--   CREATE TABLE {schema}.hk_good (note text);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE FUNCTION {schema}.hk_good() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
--   'BEGIN INSERT INTO hk_good_beside.log VALUES (new.note); RETURN NULL; END';
--   CREATE TRIGGER hk_good AFTER INSERT ON {schema}.hk_good
--   FOR EACH ROW EXECUTE FUNCTION {schema}.hk_good();
SELECT
    pg_catalog.format('%I ON %s', g.name, g.table_object) AS object,
    g.function_oid::int8 AS function_oid
FROM hk_set_off AS g
WHERE g.table_oid IN (SELECT t.oid FROM hk_table AS t)
UNION
SELECT pg_catalog.format('%I ON %s', s.name, t.object), s.function_oid::int8
FROM (
    SELECT
        d.refobjid AS function_oid,
        coalesce(c.attrelid, nullif(k.conrelid, 0), g.tgrelid, p.polrelid, v.attrelid, x.indrelid) AS table_oid,
        coalesce(k.conname, g.tgname, p.polname, v.attname, i.relname) AS name
    FROM pg_catalog.pg_depend AS d
    LEFT JOIN pg_catalog.pg_constraint AS k
        ON d.objid = k.oid AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    -- The CHECK of a domain is asked of each column that is of it.
    LEFT JOIN pg_catalog.pg_attribute AS c ON k.contypid > 0 AND k.contypid = c.atttypid
    LEFT JOIN pg_catalog.pg_trigger AS g
        ON
            d.objid = g.oid
            AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
            AND d.refobjid <> g.tgfoid
    LEFT JOIN pg_catalog.pg_policy AS p
        ON d.objid = p.oid AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_attrdef AS e
        ON d.objid = e.oid AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_attribute AS v ON e.adrelid = v.attrelid AND e.adnum = v.attnum
    LEFT JOIN pg_catalog.pg_index AS x
        ON d.objid = x.indexrelid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_class AS i ON x.indexrelid = i.oid
    WHERE
        d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND d.refobjid >= 16384
        -- Where an untrusted role reads nothing outside, there is nothing to copy to.
        AND EXISTS (SELECT FROM hk_outside_access AS a WHERE a.privilege = 'SELECT')
) AS s
INNER JOIN hk_table AS t ON s.table_oid = t.oid
