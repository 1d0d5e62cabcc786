-- Products belong to one tenant. A retired one is made inactive, not deleted.

ALTER TABLE venture.product ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.product FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.product;
CREATE POLICY tenant_isolation ON venture.product
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.product FROM PUBLIC, venture_app;
GRANT SELECT, INSERT, UPDATE ON TABLE venture.product TO venture_app;
