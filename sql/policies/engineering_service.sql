-- Services belong to one team.

ALTER TABLE engineering.service ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.service FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.service;
CREATE POLICY team_isolation ON engineering.service
FOR ALL TO engineering_app
USING (team_id = (SELECT engineering.current_team()))
WITH CHECK (team_id = (SELECT engineering.current_team()));

REVOKE ALL ON TABLE engineering.service FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE engineering.service TO engineering_app;
