-- Listing orders added up their lines each time. The total is now kept with the order.

ALTER TABLE venture.orders ADD COLUMN total numeric(12, 2) NOT NULL DEFAULT 0;

-- Backfill. Where the policies are in force already, they bind the owner too, and this UPDATE would
-- be refused; where they are not yet, the two FORCE below mean nothing until they are. The strong
-- lock is held by the ALTER TABLE above, and no other session sees the tables unforced.
ALTER TABLE venture.orders NO FORCE ROW LEVEL SECURITY;
ALTER TABLE venture.order_line NO FORCE ROW LEVEL SECURITY;
-- Nothing about the orders has changed that anybody should look at.
ALTER TABLE venture.orders DISABLE TRIGGER orders_touch;

UPDATE venture.orders AS target
SET total = summed.total
FROM (
    SELECT
        line.tenant_id,
        line.order_id,
        sum(line.line_total) AS total
    FROM venture.order_line AS line
    GROUP BY line.tenant_id, line.order_id
) AS summed
WHERE target.tenant_id = summed.tenant_id AND target.id = summed.order_id;

ALTER TABLE venture.orders ENABLE TRIGGER orders_touch;
ALTER TABLE venture.order_line FORCE ROW LEVEL SECURITY;
ALTER TABLE venture.orders FORCE ROW LEVEL SECURITY;

-- The difference is added, not the sum written: of two lines added at once, the second waits for
-- the order's row and then adds to what the first has left there.
CREATE FUNCTION venture.keep_order_total() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        UPDATE venture.orders SET total = total - OLD.line_total
        WHERE tenant_id = OLD.tenant_id AND id = OLD.order_id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        UPDATE venture.orders SET total = total + NEW.line_total
        WHERE tenant_id = NEW.tenant_id AND id = NEW.order_id;
    END IF;
    RETURN NULL;
END;
$$;
REVOKE ALL ON FUNCTION venture.keep_order_total() FROM PUBLIC;

CREATE TRIGGER order_line_total AFTER INSERT OR UPDATE OR DELETE ON venture.order_line
FOR EACH ROW EXECUTE FUNCTION venture.keep_order_total();

COMMENT ON COLUMN venture.orders.total IS 'The sum of the lines, kept by order_line_total.';
