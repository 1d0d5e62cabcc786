-- title: A notification carries what a protected row holds
-- level: error
-- why: any role may LISTEN on any channel, and no policy filters what comes: an attacker who
--   listens reads of every tenant what NOTIFY or pg_notify puts into its payload. The key of a row,
--   or of one that it points at, is enough: who may see the row reads it by that. A rewrite rule
--   sends like a trigger.
--   https://www.postgresql.org/docs/16/sql-notify.html
-- fix: DROP {kind} {object}{also};
--   -- or let it send the key of the row alone
-- leak: SELECT prosrc FROM pg_catalog.pg_proc WHERE oid::pg_catalog.regprocedure::text =
--   $hk${object}$hk$;
--   -- what it sends, every session that listens receives
-- proof: rows-told
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer PRIMARY KEY, title text);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE FUNCTION {schema}.hk_tripwire() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
--   AS $$ BEGIN PERFORM pg_notify('hk', row_to_json(NEW)::text); RETURN NEW; END $$;
--   CREATE TRIGGER hk_tripwire AFTER INSERT ON {schema}.hk_tripwire
--   FOR EACH ROW EXECUTE FUNCTION {schema}.hk_tripwire();
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE TABLE {schema}.hk_good (id integer PRIMARY KEY, title text);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE FUNCTION {schema}.hk_good() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
--   AS $$ BEGIN PERFORM pg_notify('hk', NEW.id::text); RETURN NEW; END $$;
--   CREATE TRIGGER hk_good AFTER INSERT ON {schema}.hk_good
--   FOR EACH ROW EXECUTE FUNCTION {schema}.hk_good();
WITH fires AS (
    SELECT g.tgfoid AS oid, g.tgrelid AS table_oid
    FROM pg_catalog.pg_trigger AS g
    INNER JOIN hk_table AS t ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND t.row_security
),

-- The key of each table, what points at others, and the columns that its policies compare.
telling AS (
    SELECT x.indrelid AS table_oid, a.attname AS name
    FROM pg_catalog.pg_index AS x
    INNER JOIN hk_table AS t ON x.indrelid = t.oid
    INNER JOIN pg_catalog.pg_attribute AS a ON x.indrelid = a.attrelid AND a.attnum = ANY (x.indkey)
    WHERE x.indisprimary
    UNION
    SELECT k.conrelid, a.attname
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN hk_table AS t ON k.conrelid = t.oid
    INNER JOIN pg_catalog.pg_attribute AS a ON k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)
    WHERE k.contype = 'f'
    UNION
    SELECT i.table_oid, i.name::name FROM hk_identity AS i
),

-- Named once, hk_body is folded in here, and only these functions have their bodies put together.
body AS (
    SELECT
        b.*,
        b.oid IN (SELECT f.oid FROM hk_function AS f) AS reached
    FROM hk_body AS b
    WHERE b.oid IN (SELECT f.oid FROM hk_function AS f UNION SELECT f.oid FROM fires AS f)
),

-- A function that sends its argument tells whatever a trigger hands to it.
helper AS (
    SELECT b.oid, b.name FROM body AS b
    WHERE b.reached AND b.source ~* 'notify' AND b.arguments <> '[]'::jsonb
),

-- What a rewrite rule adds to a statement is read like a body in SQL.
rule AS (
    SELECT w.oid, w.ev_class AS table_oid, pg_catalog.pg_get_ruledef(w.oid) AS source
    FROM hk_rule AS w
    INNER JOIN hk_table AS t ON w.ev_class = t.oid
    WHERE t.row_security
),

asked AS (
    SELECT b.oid, b.name, b.language, b.source, b.arguments FROM body AS b
    WHERE (b.reached AND b.source ~* 'notify') OR b.oid IN (SELECT f.oid FROM fires AS f)
    UNION ALL
    SELECT r.oid, NULL, 'sql', r.source, '[]' FROM rule AS r
),

word AS (
    SELECT DISTINCT
        s.oid,
        CASE WHEN m.part[1] IS NULL THEN pg_catalog.lower(m.part[2]) ELSE m.part[1] END AS name
    FROM asked AS s
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        s.source, '"([^"]+)"|([^\s"().,;:=<>]+)', 'g'
    ) AS m (part)
),

helped AS (
    SELECT w.oid, pg_catalog.jsonb_agg(DISTINCT h.name) AS helpers
    FROM word AS w
    INNER JOIN helper AS h ON w.name = h.name::text AND w.oid <> h.oid
    GROUP BY w.oid
),

sends AS (
    SELECT a.*, d.helpers
    FROM asked AS a
    LEFT JOIN helped AS d ON a.oid = d.oid
    WHERE a.source ~* 'notify' OR d.helpers IS NOT NULL
),

speaks AS (
    SELECT f.oid, f.table_oid FROM fires AS f
    UNION
    SELECT r.oid, r.table_oid FROM rule AS r
    UNION
    SELECT w.oid, t.oid FROM word AS w INNER JOIN hk_table AS t ON w.name = t.name::text
    WHERE t.row_security
)

SELECT
    coalesce(w.object, s.oid::pg_catalog.regprocedure::text) AS object,
    CASE WHEN w.oid IS NULL THEN 'ROUTINE' ELSE 'RULE' END AS kind,
    CASE WHEN w.oid IS NULL THEN ' CASCADE' ELSE '' END AS also,
    'of ' || u.objects || ' is sent to every session that listens' AS detail,
    s.name,
    s.language,
    s.source,
    s.arguments,
    u.quiet,
    s.helpers
FROM sends AS s
INNER JOIN (
    SELECT
        p.oid,
        pg_catalog.string_agg(DISTINCT t.object, ', ') AS objects,
        pg_catalog.jsonb_agg(DISTINCT l.name) FILTER (WHERE l.name IS NOT NULL) AS quiet
    FROM speaks AS p
    INNER JOIN hk_table AS t ON p.table_oid = t.oid
    LEFT JOIN telling AS l ON p.table_oid = l.table_oid
    GROUP BY p.oid
) AS u ON s.oid = u.oid
LEFT JOIN hk_rule AS w ON s.oid = w.oid AND s.name IS NULL
