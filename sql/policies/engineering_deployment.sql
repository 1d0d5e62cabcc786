-- Deployments belong to the team of their service. They end, and are not deleted.

ALTER TABLE engineering.deployment ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.deployment FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.deployment;
CREATE POLICY team_isolation ON engineering.deployment
FOR ALL TO engineering_app
USING (team_id = (SELECT engineering.current_team()))
WITH CHECK (team_id = (SELECT engineering.current_team()));

REVOKE ALL ON TABLE engineering.deployment FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT, UPDATE ON TABLE engineering.deployment TO engineering_app;
