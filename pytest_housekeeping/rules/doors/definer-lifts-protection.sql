-- title: A SECURITY DEFINER function lifts the protection of tables
-- level: error
-- why: the owner of a table may switch its row-level security off, change its policies and grant
--   what it likes; a function that does so with its rights does it for whoever calls it. Until it
--   switches back, and in every statement in between, the rows of every tenant are open.
--   https://www.postgresql.org/docs/16/sql-altertable.html
-- fix: ALTER ROUTINE {object} SECURITY INVOKER;
-- leak: SELECT prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- examines: hk_definer
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE FUNCTION {schema}.hk_tripwire() RETURNS void LANGUAGE plpgsql
--   SECURITY DEFINER SET search_path = '' AS $$ BEGIN
--   ALTER TABLE {schema}.hk_tripwire NO FORCE ROW LEVEL SECURITY; END $$;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_tripwire() TO {role};
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS void LANGUAGE plpgsql
--   SECURITY DEFINER SET search_path = '' AS $$ BEGIN
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY; END $$;
--   REVOKE ALL ON FUNCTION {schema}.hk_good() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_good() TO {role};
SELECT
    d.object,
    pg_catalog.format(
        'its body says %s, and %s',
        pg_catalog.upper(pg_catalog.regexp_replace(b.said[1], '\s+', ' ', 'g')),
        coalesce(
            (
                SELECT pg_catalog.string_agg(DISTINCT c.role_object, ', ') || ' may call it'
                FROM hk_caller AS c
                WHERE c.oid = d.oid
            ),
            'a trigger calls it'
        )
    ) AS detail
FROM hk_definer AS d
INNER JOIN pg_catalog.pg_proc AS f ON d.oid = f.oid
CROSS JOIN LATERAL (
    -- Comments say nothing; texts do, they may be run.
    SELECT pg_catalog.regexp_match(
        pg_catalog.regexp_replace(f.prosrc, '--[^\n]*|/\*.*?\*/', ' ', 'g'),
        -- A statement begins behind another one, a key word, or the beginning of a text.
        '(?:^|;|\mbegin|\mthen|\melse|\mloop|''|\$)\s*('
        'alter\s+table\s[^;]*?(?:(?:disable|no\s+force)\s+row\s+level\s+security|\mowner\s+to\M)'
        '|(?:alter|drop)\s+policy\M|create\s+policy\M[^;]*?\musing\s*\(\s*true\s*\)'
        '|(?:alter|create)\s+(?:role|user)\M|grant\s[^;]*?\m(?:on|to)\M'
        '|set\s+(?:local\s+|session\s+)?row_security\s*(?:=|to)\s*''?(?:off|false|no|0)\M'
        '|set\s+(?:local\s+|session\s+)?session_replication_role\s*(?:=|to)\s*''?replica\M'
        '|row_security''\s*,\s*''(?:off|false|no|0)\M'
        '|session_replication_role''\s*,\s*''replica\M)',
        'i'
    ) AS said
) AS b
WHERE
    -- Else the bodies of PostgreSQL's own functions are read first.
    f.oid >= 16384
    AND b.said IS NOT NULL
    AND (
        d.oid IN (SELECT c.oid FROM hk_caller AS c)
        OR d.oid IN (SELECT g.function_oid FROM hk_fired AS g)
    )
