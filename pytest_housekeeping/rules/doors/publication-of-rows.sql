-- title: A publication sends out rows of protected tables
-- level: error
-- why: logical replication obeys no policy: a subscriber receives the rows of every tenant, and
--   keeps them where this database protects nothing. A row filter that compares the identity
--   leaves the others out; one that looks at something else does not.
--   https://www.postgresql.org/docs/16/logical-replication-row-filter.html
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
LEFT JOIN (
    SELECT m.publication, pg_catalog.array_agg(m.object ORDER BY m.object COLLATE "C") AS objects
    FROM (
        SELECT r.prpubid AS publication, t.object
        FROM hk_table AS t
        INNER JOIN pg_catalog.pg_publication_rel AS r ON t.oid = r.prrelid
        -- PostgreSQL keeps what the filter of a table looks at; the table itself has no column.
        WHERE r.oid NOT IN (
            SELECT d.objid
            FROM pg_catalog.pg_depend AS d
            INNER JOIN hk_identity AS i
                ON d.refobjid = i.table_oid AND d.refobjsubid = i.attnum
            WHERE
                d.classid = 'pg_catalog.pg_publication_rel'::pg_catalog.regclass
                AND d.deptype = 'n'
        )
        UNION
        SELECT s.pnpubid, t.object
        FROM hk_table AS t
        INNER JOIN pg_catalog.pg_publication_namespace AS s ON t.schema_oid = s.pnnspid
    ) AS m
    GROUP BY m.publication
) AS p ON b.oid = p.publication
WHERE b.puballtables OR p.objects IS NOT NULL
