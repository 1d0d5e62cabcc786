-- Customers belong to one tenant. They are kept: their orders and invoices name them.

ALTER TABLE venture.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.customer FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.customer;
CREATE POLICY tenant_isolation ON venture.customer
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.customer FROM PUBLIC, venture_app;
GRANT SELECT, INSERT, UPDATE ON TABLE venture.customer TO venture_app;
