-- What each customer has been invoiced, has paid, and still owes.
-- Payments are summed by invoice first: joined as they are, two payments would count an invoice
-- twice.

CREATE OR REPLACE VIEW venture.customer_balance
WITH (security_invoker = TRUE) AS
WITH paid AS (
    SELECT
        payment.tenant_id,
        payment.invoice_id,
        sum(payment.amount) AS amount
    FROM venture.payment
    GROUP BY payment.tenant_id, payment.invoice_id
)

SELECT
    customer.tenant_id,
    customer.id AS customer_id,
    customer.name AS customer_name,
    country.currency,
    coalesce(sum(invoice.amount), 0) AS invoiced,
    coalesce(sum(paid.amount), 0) AS paid,
    coalesce(sum(invoice.amount), 0) - coalesce(sum(paid.amount), 0) AS balance
FROM venture.customer
INNER JOIN venture.tenant ON customer.tenant_id = tenant.id
INNER JOIN venture.country ON tenant.country_code = country.code
LEFT JOIN venture.orders
    ON customer.tenant_id = orders.tenant_id AND customer.id = orders.customer_id
LEFT JOIN venture.invoice
    ON orders.tenant_id = invoice.tenant_id AND orders.id = invoice.order_id
LEFT JOIN paid ON invoice.tenant_id = paid.tenant_id AND invoice.id = paid.invoice_id
GROUP BY customer.tenant_id, customer.id, customer.name, country.currency;

COMMENT ON VIEW venture.customer_balance IS 'Invoiced, paid and owed, in the tenant''s currency.';

REVOKE ALL ON TABLE venture.customer_balance FROM PUBLIC, venture_app;
GRANT SELECT ON TABLE venture.customer_balance TO venture_app;
