-- title: A publication sends out rows of protected tables
-- level: warning
-- why: logical replication obeys no policy: a subscriber receives the rows of every tenant, and
--   keeps them where this database protects nothing.
--   https://www.postgresql.org/docs/16/logical-replication-security.html
-- fix: DROP PUBLICATION {name};
--   -- or exempt it, with the name of who receives the rows
-- leak: SELECT * FROM pg_catalog.pg_publication_tables;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE PUBLICATION hk_tripwire FOR TABLE {schema}.hk_tripwire;
-- tripwire-object: PUBLICATION hk_tripwire
-- good: CREATE PUBLICATION hk_good;
SELECT
    pg_catalog.format('PUBLICATION %I', b.pubname) AS object,
    CASE
        WHEN b.puballtables THEN 'it publishes every table'
        ELSE pg_catalog.format(
            'it publishes %s%s',
            pg_catalog.array_to_string(p.objects[1:5], ', '),
            CASE
                WHEN pg_catalog.cardinality(p.objects) > 5
                    THEN pg_catalog.format(' and %s more', pg_catalog.cardinality(p.objects) - 5)
                ELSE ''
            END
        )
    END AS detail,
    pg_catalog.format('%I', b.pubname) AS name
FROM pg_catalog.pg_publication AS b
CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(m.object ORDER BY m.object COLLATE "C") AS objects
    FROM (
        SELECT t.object
        FROM hk_table AS t
        INNER JOIN pg_catalog.pg_publication_rel AS r ON t.oid = r.prrelid
        WHERE r.prpubid = b.oid
        UNION
        SELECT t.object
        FROM hk_table AS t
        INNER JOIN pg_catalog.pg_publication_namespace AS s ON t.schema_oid = s.pnnspid
        WHERE s.pnpubid = b.oid
    ) AS m
) AS p
WHERE b.puballtables OR p.objects IS NOT NULL
