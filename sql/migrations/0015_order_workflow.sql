-- The two steps that must not go wrong halfway: an order is placed, an order is invoiced.
-- Both run as whoever calls them: the policies decide which orders there are.

CREATE FUNCTION venture.place_order(wanted_order bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    UPDATE venture.orders AS target
    SET status = 'placed', placed_at = now()
    WHERE target.id = wanted_order
        AND target.status = 'draft'
        AND EXISTS (
            SELECT FROM venture.order_line AS line
            WHERE line.tenant_id = target.tenant_id AND line.order_id = target.id
        );
    IF NOT FOUND THEN
        RAISE EXCEPTION 'order % cannot be placed', wanted_order
            USING ERRCODE = 'check_violation',
                  HINT = 'It must be a draft of this tenant and have at least one line.';
    END IF;
END;
$$;
REVOKE ALL ON FUNCTION venture.place_order(bigint) FROM PUBLIC;
COMMENT ON FUNCTION venture.place_order(bigint) IS 'A draft that has lines becomes an order.';

CREATE FUNCTION venture.issue_invoice(wanted_order bigint, days_to_pay integer DEFAULT 30)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    issued bigint;
BEGIN
    INSERT INTO venture.invoice (tenant_id, order_id, number, amount, due_on)
    SELECT
        source.tenant_id,
        source.id,
        'INV-' || source.number,
        source.total,
        current_date + days_to_pay
    FROM venture.orders AS source
    WHERE source.id = wanted_order AND source.status IN ('placed', 'shipped')
    RETURNING id INTO issued;
    IF issued IS NULL THEN
        RAISE EXCEPTION 'order % cannot be invoiced', wanted_order
            USING ERRCODE = 'check_violation',
                  HINT = 'It must have been placed by this tenant and not be cancelled.';
    END IF;
    RETURN issued;
END;
$$;
REVOKE ALL ON FUNCTION venture.issue_invoice(bigint, integer) FROM PUBLIC;
COMMENT ON FUNCTION venture.issue_invoice(bigint, integer) IS 'The invoice of a placed order.';
