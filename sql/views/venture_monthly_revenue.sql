-- Money received in each month. Months are UTC, so that every session sees the same ones.

CREATE OR REPLACE VIEW venture.monthly_revenue
WITH (security_invoker = TRUE) AS
SELECT
    payment.tenant_id,
    date_trunc('month', payment.received_at AT TIME ZONE 'UTC')::date AS month,
    count(*) AS payments,
    sum(payment.amount) AS revenue
FROM venture.payment
GROUP BY payment.tenant_id, date_trunc('month', payment.received_at AT TIME ZONE 'UTC')::date;

COMMENT ON VIEW venture.monthly_revenue IS 'Payments received, less refunds, by month.';

REVOKE ALL ON TABLE venture.monthly_revenue FROM PUBLIC, venture_app;
GRANT SELECT ON TABLE venture.monthly_revenue TO venture_app;
