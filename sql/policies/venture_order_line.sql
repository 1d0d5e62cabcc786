-- Lines belong to the tenant of their order: the foreign key holds the two together.

ALTER TABLE venture.order_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.order_line FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.order_line;
CREATE POLICY tenant_isolation ON venture.order_line
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.order_line FROM PUBLIC, venture_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE venture.order_line TO venture_app;
