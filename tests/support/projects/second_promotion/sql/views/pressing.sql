CREATE OR REPLACE VIEW desk.pressing WITH (security_invoker = true) AS
SELECT
    id,
    subject
FROM desk.ticket
WHERE urgency = 'high';
