-- title: A SECURITY DEFINER function runs what its caller has written
-- level: error
-- why: a text that is put into a statement as it is becomes a part of it: an attacker ends the
--   literal and goes on, with the rights of the function's owner, over every table that the owner
--   reaches. EXECUTE, RETURN QUERY EXECUTE, OPEN FOR EXECUTE and FOR IN EXECUTE alike, and
--   functions that run a query which they are handed: ts_stat, query_to_xml, dblink.
--   https://www.postgresql.org/docs/16/plpgsql-statements.html#PLPGSQL-QUOTE-LITERAL-EXAMPLE
-- fix: ALTER ROUTINE {object} SECURITY INVOKER;
--   -- or hand values over by USING, and put names in by format() with %I, literals with %L
-- leak: SELECT prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- proof: text-run
-- examines: hk_definer
-- tripwire: CREATE FUNCTION {schema}.hk_tripwire(wanted text) RETURNS SETOF text LANGUAGE plpgsql
--   SECURITY DEFINER SET search_path = '' AS $$ BEGIN
--   RETURN QUERY EXECUTE 'SELECT ''' || wanted || ''''; END $$;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_tripwire(text) TO {role};
-- tripwire-object: {schema}.hk_tripwire(text)
-- good: CREATE FUNCTION {schema}.hk_good(wanted text) RETURNS SETOF text LANGUAGE plpgsql
--   SECURITY DEFINER SET search_path = '' AS $$ BEGIN
--   RETURN QUERY EXECUTE format('SELECT $1 || %L', wanted) USING wanted; END $$;
--   REVOKE ALL ON FUNCTION {schema}.hk_good(text) FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_good(text) TO {role};
SELECT
    d.object,
    'is put into a statement as it stands, and '
    || pg_catalog.string_agg(DISTINCT c.role_object, ', ') || ' may call it' AS detail,
    b.name,
    b.language,
    b.source,
    b.arguments
FROM hk_definer AS d
INNER JOIN hk_body AS b ON d.oid = b.oid
INNER JOIN hk_caller AS c ON d.oid = c.oid
WHERE
    b.language NOT IN ('c', 'internal')
    AND (
        b.language NOT IN ('sql', 'plpgsql')
        OR (b.language = 'plpgsql' AND b.source ~* '\mexecute\M')
        OR b.source ~* '\m(query_to_xml|ts_stat|ts_rewrite|connectby|crosstab|xpath_table|dblink)'
    )
GROUP BY d.object, b.name, b.language, b.source, b.arguments
