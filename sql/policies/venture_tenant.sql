-- A tenant sees and changes itself. It signs itself up under the id that its session carries, and
-- is never deleted from here.

ALTER TABLE venture.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.tenant FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.tenant;
CREATE POLICY tenant_isolation ON venture.tenant
FOR ALL TO venture_app
USING (id = (SELECT venture.current_tenant()))
WITH CHECK (id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.tenant FROM PUBLIC, venture_app;
GRANT SELECT, INSERT, UPDATE ON TABLE venture.tenant TO venture_app;
