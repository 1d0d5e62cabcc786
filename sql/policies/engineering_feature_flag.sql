-- Flags belong to one team, and are removed when the feature is no question any more.

ALTER TABLE engineering.feature_flag ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.feature_flag FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.feature_flag;
CREATE POLICY team_isolation ON engineering.feature_flag
FOR ALL TO engineering_app
USING (team_id = (SELECT engineering.current_team()))
WITH CHECK (team_id = (SELECT engineering.current_team()));

REVOKE ALL ON TABLE engineering.feature_flag FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE engineering.feature_flag TO engineering_app;
