-- Incidents belong to the team that runs the service. They are resolved, not deleted.

ALTER TABLE engineering.incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.incident FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.incident;
CREATE POLICY team_isolation ON engineering.incident
FOR ALL TO engineering_app
USING (team_id = (SELECT engineering.current_team()))
WITH CHECK (team_id = (SELECT engineering.current_team()));

REVOKE ALL ON TABLE engineering.incident FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT, UPDATE ON TABLE engineering.incident TO engineering_app;
