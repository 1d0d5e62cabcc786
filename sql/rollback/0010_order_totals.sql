-- The totals go; the lines, from which they were added up, stay.

DROP TRIGGER order_line_total ON venture.order_line;
DROP FUNCTION venture.keep_order_total();
ALTER TABLE venture.orders DROP COLUMN total;

-- Where row-level security is not on yet, FORCE came with the migration. Where it is on, the
-- policies are in force, and nobody takes that from them.
DO $$
DECLARE
    forced regclass;
BEGIN
    FOR forced IN
        SELECT class.oid
        FROM pg_catalog.pg_class AS class
        WHERE class.oid IN ('venture.orders'::regclass, 'venture.order_line'::regclass)
            AND NOT class.relrowsecurity
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', forced);
    END LOOP;
END;
$$;
