-- The status page of a team: what runs, since when, and what is wrong with it.

CREATE OR REPLACE VIEW engineering.service_status
WITH (security_invoker = TRUE) AS
SELECT
    service.team_id,
    service.id AS service_id,
    service.name,
    service.tier,
    latest.commit_sha,
    latest.finished_at AS deployed_at,
    (
        SELECT count(*)
        FROM engineering.incident
        WHERE
            incident.team_id = service.team_id
            AND incident.service_id = service.id
            AND incident.resolved_at IS NULL
    ) AS open_incidents
FROM engineering.service
LEFT JOIN LATERAL (
    SELECT
        deployment.commit_sha,
        deployment.finished_at
    FROM engineering.deployment
    WHERE
        deployment.team_id = service.team_id
        AND deployment.service_id = service.id
        AND deployment.outcome = 'succeeded'
    ORDER BY deployment.started_at DESC
    LIMIT 1
) AS latest ON TRUE;

COMMENT ON VIEW engineering.service_status IS 'Services, what runs of them, their open incidents.';

REVOKE ALL ON TABLE engineering.service_status FROM PUBLIC, engineering_app;
GRANT SELECT ON TABLE engineering.service_status TO engineering_app;
