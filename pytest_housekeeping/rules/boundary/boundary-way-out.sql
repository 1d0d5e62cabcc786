-- title: The source may leave the database and come back as somebody else
-- level: error
-- why: over a foreign server or dblink the source opens a connection of its own, to this database
--   too, as whatever account it is given; an untrusted language does anything that the server's
--   process may do. No grant of this database says what happens there.
--   https://www.postgresql.org/docs/16/contrib-dblink-connect.html
-- fix: {fix}
-- leak: SELECT srvname, srvacl FROM pg_catalog.pg_foreign_server;
--   SELECT lanname, lanacl FROM pg_catalog.pg_language WHERE NOT lanpltrusted;
-- examines: hk_source_role
-- tripwire-superuser: CREATE FOREIGN DATA WRAPPER {tripwire_role};
--   GRANT USAGE ON FOREIGN DATA WRAPPER {tripwire_role} TO {migrator};
-- tripwire: CREATE SERVER {tripwire_role} FOREIGN DATA WRAPPER {tripwire_role};
--   GRANT USAGE ON FOREIGN SERVER {tripwire_role} TO {source_role};
-- tripwire-object: SERVER {tripwire_role}
-- good: CREATE TABLE {target_schema}.hk_good (id integer);
SELECT
    w.object,
    pg_catalog.format(
        '%s %s', pg_catalog.string_agg(DISTINCT h.role_object, ', ' ORDER BY h.role_object), w.words
    ) AS detail,
    pg_catalog.format(
        'REVOKE %s FROM PUBLIC, %s;',
        w.held,
        pg_catalog.string_agg(DISTINCT h.role_object, ', ' ORDER BY h.role_object)
    ) AS fix
FROM hk_source_reach AS h
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.format('SERVER %I', s.srvname) AS object,
        'may use it to reach another database' AS words,
        pg_catalog.format('USAGE ON FOREIGN SERVER %I', s.srvname) AS held
    FROM pg_catalog.pg_foreign_server AS s
    WHERE pg_catalog.has_server_privilege(h.oid, s.oid, 'USAGE')
    UNION ALL
    SELECT
        pg_catalog.format('FOREIGN DATA WRAPPER %I', w.fdwname),
        'may make a server of it, and a mapping to an account there',
        pg_catalog.format('USAGE ON FOREIGN DATA WRAPPER %I', w.fdwname)
    FROM pg_catalog.pg_foreign_data_wrapper AS w
    WHERE pg_catalog.has_foreign_data_wrapper_privilege(h.oid, w.oid, 'USAGE')
    UNION ALL
    SELECT f.oid::pg_catalog.regprocedure::text, 'may open a connection with it',
        pg_catalog.format('EXECUTE ON FUNCTION %s', f.oid::pg_catalog.regprocedure)
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_depend AS d
        ON f.oid = d.objid AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    INNER JOIN pg_catalog.pg_extension AS x
        ON d.refobjid = x.oid AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    WHERE
        d.deptype = 'e'
        AND x.extname = 'dblink'
        AND f.proname IN ('dblink', 'dblink_connect', 'dblink_connect_u', 'dblink_exec', 'dblink_send_query')
        AND pg_catalog.has_function_privilege(h.oid, f.oid, 'EXECUTE')
        AND pg_catalog.has_schema_privilege(h.oid, f.pronamespace, 'USAGE')
    UNION ALL
    SELECT
        pg_catalog.format('LANGUAGE %I', l.lanname),
        'may write functions in it, and it is not trusted',
        pg_catalog.format('USAGE ON LANGUAGE %I', l.lanname)
    FROM pg_catalog.pg_language AS l
    WHERE
        NOT l.lanpltrusted
        AND l.lanname NOT IN ('internal', 'c')
        AND pg_catalog.has_language_privilege(h.oid, l.oid, 'USAGE')
) AS w
GROUP BY w.object, w.words, w.held
