-- title: A policy relies on a table without row-level security
-- level: error
-- why: a policy is worth as much as what it asks. Where the table of memberships is unprotected,
--   an attacker who may write to it makes itself a member of every tenant, and one who may read
--   it learns who belongs to whom. A view through which it may write to it, and a function that
--   looks into it, are no better.
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
WITH RECURSIVE looks (policy_oid, relation_oid, view_oid) AS (
    SELECT r.policy_oid, r.relation_oid, NULL::oid FROM hk_policy_reads AS r
    UNION
    -- What a view reads with the rights of whoever asks is asked for as if by the policy itself.
    SELECT
        l.policy_oid,
        v.relation_oid,
        coalesce(
            l.view_oid,
            CASE WHEN NOT EXISTS (
                SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
                WHERE o.option_name = 'security_invoker' AND o.option_value::boolean
            ) THEN c.oid END
        )
    FROM looks AS l
    INNER JOIN pg_catalog.pg_class AS c ON l.relation_oid = c.oid AND c.relkind = 'v'
    INNER JOIN hk_view_reads AS v ON c.oid = v.view_oid
),

-- What a session may write to outside the protected schemas, and no policy asks.
open (oid, name, object, roles) AS (
    SELECT o.oid, o.name, o.object, pg_catalog.string_agg(DISTINCT a.role_object, ', ')
    FROM hk_outside AS o
    INNER JOIN hk_outside_access AS a ON o.oid = a.oid
    WHERE
        o.relkind IN ('r', 'p')
        AND NOT o.row_security
        AND a.privilege IN ('INSERT', 'UPDATE', 'DELETE')
    GROUP BY o.oid, o.name, o.object
),

asks (policy_oid, asked, oid) AS (
    SELECT d.policy_oid, d.refobjid, d.refobjid
    FROM hk_policy_depends AS d
    WHERE
        d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND EXISTS (SELECT FROM open)
    UNION
    SELECT a.policy_oid, a.asked, f.oid
    FROM asks AS a
    INNER JOIN hk_words AS w ON a.oid = w.oid
    CROSS JOIN LATERAL pg_catalog.unnest(w.words) AS m (word)
    INNER JOIN pg_catalog.pg_proc AS f ON m.word = f.proname AND f.oid >= 16384
)

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
    ) || coalesce(
        ', by ' || l.view_oid::pg_catalog.regclass || ', to which ' || w.grantees || ' may write', ''
    ) AS detail,
    c.oid::pg_catalog.regclass::text AS relation,
    CASE
        WHEN l.view_oid IS NOT NULL
            THEN pg_catalog.format(
                'REVOKE INSERT, UPDATE, DELETE ON %s FROM %s;', l.view_oid::pg_catalog.regclass, w.grantees
            )
        WHEN c.relkind IN ('m', 'f')
            THEN pg_catalog.format('DROP POLICY %s;', p.object)
                || E'\n-- and write one that reads a protected table'
    END AS fix
FROM looks AS l
INNER JOIN hk_opening AS p ON l.policy_oid = p.oid
INNER JOIN pg_catalog.pg_class AS c ON l.relation_oid = c.oid
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.string_agg(
            DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', '
        ) AS grantees
    FROM pg_catalog.pg_class AS v
    LEFT JOIN pg_catalog.pg_attribute AS a ON v.oid = a.attrelid AND a.attacl IS NOT NULL
    CROSS JOIN LATERAL (VALUES (v.relacl), (a.attacl)) AS h (acl)
    CROSS JOIN LATERAL pg_catalog.aclexplode(h.acl) AS g
    LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
    WHERE
        v.oid = l.view_oid
        AND g.grantee <> v.relowner
        AND g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
        AND (g.grantee = 0 OR g.grantee IN (SELECT e.oid FROM hk_reach AS e))
        -- 28: one of INSERT, UPDATE and DELETE.
        AND pg_catalog.pg_relation_is_updatable(v.oid, true) & 28 <> 0
) AS w ON true
WHERE
    (l.view_oid IS NULL OR w.grantees IS NOT NULL)
    AND (c.relkind IN ('r', 'p') AND NOT c.relrowsecurity OR c.relkind IN ('m', 'f'))
    AND c.oid NOT IN (SELECT o.table_oid FROM hk_public_to_read AS o WHERE o.table_oid IS NOT NULL)
    AND c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
UNION
SELECT
    p.object,
    pg_catalog.format(
        'it reads %s, whose row-level security is off, by %s, and %s may write to it',
        o.object,
        a.asked::pg_catalog.regprocedure,
        o.roles
    ),
    o.object,
    NULL
FROM asks AS a
INNER JOIN hk_opening AS p ON a.policy_oid = p.oid
INNER JOIN hk_words AS w ON a.oid = w.oid
INNER JOIN open AS o ON o.name = ANY (w.words)
