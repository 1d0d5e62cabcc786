-- title: A SECURITY DEFINER function runs as a role that no policy binds
-- level: error
-- why: the function reads and writes as its owner, and its owner is exempt from row-level
--   security, or has a policy of its own that compares no row with the session: whatever its
--   arguments select, an attacker gets from the rows of every tenant. It need not be called by
--   name: an aggregate, an operator, a cast, a CHECK, a default or a view that is made of it will
--   do, also where its schema may not be entered. Sound is a body that compares each protected table
--   that it reads with the identity of the context.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: REVOKE ALL ON ROUTINE {object} FROM {grantees};
--   -- or ALTER ROUTINE {object} OWNER TO a role that obeys the policies
-- leak: SELECT p.proowner::pg_catalog.regrole, r.rolsuper, r.rolbypassrls FROM pg_catalog.pg_proc
--   AS p
--   JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
--   WHERE p.oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- proof: acts
-- examines: hk_definer
-- tripwire-superuser: CREATE SCHEMA {tripwire_role};
--   CREATE FUNCTION {tripwire_role}.hk_tripwire() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {tripwire_role}.hk_tripwire() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire() TO {migrator} WITH GRANT OPTION;
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {migrator} WITH GRANT OPTION;
-- tripwire: GRANT USAGE ON SCHEMA {tripwire_role} TO {role};
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire() TO {role};
-- tripwire-object: {tripwire_role}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {schema}.hk_good() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_good() TO {role};
SELECT
    d.object,
    pg_catalog.format(
        '%s, and %s may %s',
        a.words,
        pg_catalog.string_agg(DISTINCT s.role_object, ', '),
        pg_catalog.string_agg(DISTINCT s.words, ' and ')
    ) AS detail,
    pg_catalog.string_agg(DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', ') AS grantees,
    CASE
        WHEN a.fix IS NOT NULL
            THEN a.fix || E'\n-- or ALTER ROUTINE ' || d.object
                || ' OWNER TO a role whose policies compare the identity'
        WHEN pg_catalog.bool_or(s.grantee IS NULL)
            THEN pg_catalog.format('ALTER ROUTINE %s SECURITY INVOKER;', d.object)
    END AS fix,
    b.language,
    b.source,
    b.arguments
FROM hk_definer AS d
INNER JOIN hk_body AS b ON d.oid = b.oid
INNER JOIN hk_acts_past AS a ON d.oid = a.oid
INNER JOIN hk_run_by AS s ON d.oid = s.oid
LEFT JOIN pg_catalog.pg_roles AS r ON s.grantee = r.oid
GROUP BY d.object, a.words, a.fix, b.language, b.source, b.arguments
