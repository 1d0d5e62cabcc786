-- Settings that carry the identity, and those that a session starts with.
-- Settings that carry the identity.
hk_context (name) AS (
    SELECT pg_catalog.lower(c.name) FROM pg_catalog.unnest({context}::text[]) AS c (name)
),
-- Settings that a session of an untrusted role, or a function that it calls, starts with.
hk_preset AS (
    SELECT
        e.object,
        e.name,
        e.value,
        e.by_function,
        e.alter || ' RESET ' || (
            -- A part of a setting's name may be a key word: app.user.
            SELECT pg_catalog.string_agg(pg_catalog.quote_ident(p.name), '.' ORDER BY p.place)
            FROM pg_catalog.string_to_table(e.name, '.') WITH ORDINALITY AS p (name, place)
        ) || ';' AS fix
    FROM (
        SELECT
            CASE
                WHEN s.setrole <> 0 THEN r.object
                WHEN s.setdatabase <> 0 THEN pg_catalog.format('DATABASE %I', d.datname)
                ELSE 'ROLE ALL'
            END AS object,
            pg_catalog.split_part(c.line, '=', 1) AS name,
            pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1) AS value,
            false AS by_function,
            CASE
                WHEN s.setrole = 0 AND s.setdatabase <> 0
                    THEN pg_catalog.format('ALTER DATABASE %I', d.datname)
                ELSE 'ALTER ROLE ' || coalesce(r.object, 'ALL')
                    || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(d.datname), '')
            END AS alter
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (line)
        LEFT JOIN hk_role AS r ON s.setrole = r.oid
        LEFT JOIN pg_catalog.pg_database AS d ON s.setdatabase = d.oid
        WHERE
            (s.setrole = 0 OR r.oid IS NOT NULL)
            AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
        UNION ALL
        SELECT
            f.object,
            pg_catalog.split_part(c.line, '=', 1),
            pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1),
            true,
            'ALTER ROUTINE ' || f.object
        FROM hk_function AS f
        CROSS JOIN LATERAL pg_catalog.unnest(f.settings) AS c (line)
    ) AS e
)
