-- Orders belong to one tenant. DELETE is for drafts that went nowhere: an invoice holds its order.

ALTER TABLE venture.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.orders FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.orders;
CREATE POLICY tenant_isolation ON venture.orders
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.orders FROM PUBLIC, venture_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE venture.orders TO venture_app;
