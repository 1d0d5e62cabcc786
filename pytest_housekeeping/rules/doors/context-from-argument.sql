-- title: A function takes on the identity that its argument names
-- level: error
-- why: what sets the context says whom the session acts for. A function that the application may
--   call with an identity of its caller's choice, over an API for instance, lets an attacker act
--   for any tenant, and so does a trigger that goes by the new row, for policies are checked
--   afterwards. The identity must come from what the caller has proved.
--   https://www.postgresql.org/docs/16/functions-admin.html
-- fix: REVOKE ALL ON ROUTINE {object} FROM {grantees};
--   -- or let it look the identity up by a secret that its caller has to know
-- leak: SELECT prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- proof: context-taken
-- examines: hk_function
-- tripwire: CREATE FUNCTION {schema}.hk_tripwire(who text) RETURNS text LANGUAGE sql
--   SET search_path = '' AS $$ SELECT set_config('{setting}', who, true) $$;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_tripwire(text) TO {role};
-- tripwire-object: {schema}.hk_tripwire(text)
-- good: CREATE FUNCTION {schema}.hk_good(who text) RETURNS text LANGUAGE sql
--   SET search_path = '' AS $$ SELECT set_config('application_name', who, true) $$;
SELECT
    f.object,
    'becomes the identity that the session acts for, and ' || coalesce(
        pg_catalog.string_agg(DISTINCT c.role_object, ', ') || ' may call it',
        'a trigger calls it'
    ) AS detail,
    pg_catalog.string_agg(
        DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', '
    ) AS grantees,
    CASE
        WHEN f.for_triggers THEN pg_catalog.format('DROP ROUTINE %s CASCADE;', f.object)
    END AS fix,
    b.name,
    b.language,
    b.source,
    b.arguments
FROM hk_function AS f
INNER JOIN hk_body AS b ON f.oid = b.oid
LEFT JOIN hk_caller AS c ON f.oid = c.oid
LEFT JOIN pg_catalog.pg_roles AS r ON c.grantee = r.oid
WHERE
    (c.oid IS NOT NULL OR f.oid IN (SELECT s.function_oid FROM hk_set_off AS s))
    AND (
        b.source ~* 'set_config'
        OR (
            b.source ~* '\mset\M'
            AND EXISTS (
                SELECT FROM hk_context AS s
                WHERE pg_catalog.strpos(pg_catalog.lower(b.source), s.name) > 0
            )
        )
    )
GROUP BY f.object, f.for_triggers, b.name, b.language, b.source, b.arguments
