-- An update carries no team: it belongs to whoever its incident belongs to. The team is compared
-- here as well, so that this policy does not lean on the one of another table.
-- What was posted during an incident is not edited afterwards.

ALTER TABLE engineering.incident_update ENABLE ROW LEVEL SECURITY;
ALTER TABLE engineering.incident_update FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS team_isolation ON engineering.incident_update;
CREATE POLICY team_isolation ON engineering.incident_update
FOR ALL TO engineering_app
USING (EXISTS (
    SELECT 1
    FROM engineering.incident
    WHERE
        incident.id = incident_update.incident_id
        AND incident.team_id = (SELECT engineering.current_team())
))
WITH CHECK (EXISTS (
    SELECT 1
    FROM engineering.incident
    WHERE
        incident.id = incident_update.incident_id
        AND incident.team_id = (SELECT engineering.current_team())
));

REVOKE ALL ON TABLE engineering.incident_update FROM PUBLIC, engineering_app;
GRANT SELECT, INSERT ON TABLE engineering.incident_update TO engineering_app;
