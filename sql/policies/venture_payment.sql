-- Payments belong to one tenant. What was received was received: no change, no deletion.

ALTER TABLE venture.payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.payment FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.payment;
CREATE POLICY tenant_isolation ON venture.payment
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.payment FROM PUBLIC, venture_app;
GRANT SELECT, INSERT ON TABLE venture.payment TO venture_app;
