-- title: A sequence of a protected schema is too open
-- level: error
-- why: row-level security does not cover sequences. With UPDATE an attacker calls setval() and
--   makes every tenant's next INSERT clash; PUBLIC reads how much all of them do.
--   https://www.postgresql.org/docs/16/functions-sequence.html
-- fix: REVOKE {privileges} ON SEQUENCE {object} FROM {grantee};
-- leak: SELECT c.relacl FROM pg_catalog.pg_class AS c
--   WHERE c.oid = $hk${object}$hk$::pg_catalog.regclass;
-- examines: hk_any_table
-- tripwire: CREATE SEQUENCE {schema}.hk_tripwire;
--   GRANT UPDATE ON SEQUENCE {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE SEQUENCE {schema}.hk_good;
--   GRANT USAGE, SELECT ON SEQUENCE {schema}.hk_good TO {role};
SELECT
    g.object,
    pg_catalog.format(
        '%s holds %s on it', g.grantee, pg_catalog.string_agg(g.privilege, ', ' ORDER BY g.privilege)
    ) AS detail,
    g.grantee,
    CASE
        WHEN g.grantee = 'PUBLIC' THEN 'ALL'
        ELSE pg_catalog.string_agg(g.privilege, ', ' ORDER BY g.privilege)
    END AS privileges,
    g.fix
FROM hk_relation_grant AS g
WHERE g.relkind = 'S' AND (g.privilege = 'UPDATE' OR g.grantee = 'PUBLIC')
GROUP BY g.object, g.grantee, g.fix
