-- What has been ordered and not yet paid: the list that the warehouse and the accounts work from.
-- security_invoker: the policies of the tables bind whoever asks, not the view's owner.

CREATE OR REPLACE VIEW venture.open_orders
WITH (security_invoker = TRUE) AS
SELECT
    orders.tenant_id,
    orders.id,
    orders.number,
    orders.status,
    orders.placed_at,
    customer.name AS customer_name,
    customer.email AS customer_email,
    orders.total
FROM venture.orders
INNER JOIN venture.customer
    ON orders.tenant_id = customer.tenant_id AND orders.customer_id = customer.id
WHERE orders.status IN ('placed', 'shipped');

COMMENT ON VIEW venture.open_orders IS 'Orders that are placed or shipped, with their customer.';

REVOKE ALL ON TABLE venture.open_orders FROM PUBLIC, venture_app;
GRANT SELECT ON TABLE venture.open_orders TO venture_app;
