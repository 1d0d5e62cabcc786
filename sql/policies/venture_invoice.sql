-- Invoices belong to one tenant. Once issued they stay as they are: a correction is a refund.

ALTER TABLE venture.invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.invoice FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.invoice;
CREATE POLICY tenant_isolation ON venture.invoice
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.invoice FROM PUBLIC, venture_app;
GRANT SELECT, INSERT ON TABLE venture.invoice TO venture_app;
