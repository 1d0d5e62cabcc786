-- A team sees and names itself, under the id that its session carries.

ALTER TABLE engineering.team ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.team FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.team;
CREATE POLICY team_isolation ON engineering.team
FOR ALL TO engineering_app
USING (id = (SELECT engineering.current_team()))
WITH CHECK (id = (SELECT engineering.current_team()));

REVOKE ALL ON TABLE engineering.team FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT, UPDATE ON TABLE engineering.team TO engineering_app;
