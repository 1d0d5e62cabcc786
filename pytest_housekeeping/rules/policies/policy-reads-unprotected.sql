-- title: A policy relies on a table without row-level security
-- level: error
-- why: a policy is worth as much as what it asks. Where the table of memberships is unprotected,
--   an attacker who may write to it makes itself a member of every tenant, and one who may read
--   it learns who belongs to whom.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {relation} ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {relation} FORCE ROW LEVEL SECURITY;
-- leak: SELECT relrowsecurity, relforcerowsecurity FROM pg_catalog.pg_class
--   WHERE oid = $hk${relation}$hk$::pg_catalog.regclass;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL);
--   CREATE TABLE {schema}.hk_tripwire_member (tenant text NOT NULL, person text NOT NULL);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (tenant IN (
--   SELECT m.tenant FROM {schema}.hk_tripwire_member AS m WHERE m.person = current_user));
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL);
--   CREATE TABLE {schema}.hk_good_member (tenant text NOT NULL, person text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_member ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good_member FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role} USING (tenant IN (
--   SELECT m.tenant FROM {schema}.hk_good_member AS m WHERE m.person = current_user));
--   CREATE POLICY own ON {schema}.hk_good_member TO {role} USING (person = current_user);
SELECT
    p.object,
    pg_catalog.format(
        'it reads %s, %s',
        c.oid::pg_catalog.regclass,
        CASE
            WHEN c.relkind IN ('r', 'p') THEN 'whose row-level security is off'
            WHEN c.relkind = 'm' THEN 'a materialized view, which has no row-level security'
            ELSE 'a foreign table, which has no row-level security'
        END
    ) AS detail,
    c.oid::pg_catalog.regclass::text AS relation,
    CASE
        WHEN c.relkind IN ('m', 'f')
            THEN pg_catalog.format('DROP POLICY %s;', p.object)
                || E'\n-- and write one that reads a protected table'
    END AS fix
FROM hk_policy_reads AS r
INNER JOIN hk_opening AS p ON r.policy_oid = p.oid
INNER JOIN pg_catalog.pg_class AS c ON r.relation_oid = c.oid
WHERE
    (c.relkind IN ('r', 'p') AND NOT c.relrowsecurity OR c.relkind IN ('m', 'f'))
    AND c.oid NOT IN (SELECT o.table_oid FROM hk_public_to_read AS o WHERE o.table_oid IS NOT NULL)
    AND c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
