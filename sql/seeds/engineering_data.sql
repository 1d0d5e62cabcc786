-- hk: row-security=on
-- The data team: reports, and the patience to wait for them.

SET LOCAL ROLE engineering_app;
SELECT set_config('app.team_id', 'cccccccc-cccc-4ccc-8ccc-cccccccccccc', TRUE);

INSERT INTO engineering.team (name) VALUES
('Data');

INSERT INTO engineering.service (name, repository_url, tier) VALUES
('warehouse', 'https://git.example/data/warehouse', 3);

WITH seed (name, digit, outcome, started_at, took) AS (
    VALUES
    ('warehouse', 'f', 'failed', '2026-09-01 02:00+00', '90 minutes'),
    ('warehouse', '0', 'succeeded', '2026-09-02 02:00+00', '75 minutes')
)

INSERT INTO engineering.deployment (service_id, commit_sha, outcome, started_at, finished_at)
SELECT
    service.id AS service_id,
    repeat(seed.digit, 40) AS commit_sha,
    seed.outcome::engineering.deployment_outcome AS outcome,
    seed.started_at::timestamptz AS started_at,
    seed.started_at::timestamptz + seed.took::interval AS finished_at
FROM seed
INNER JOIN engineering.service ON seed.name = service.name;

WITH seed (name, severity, summary, opened_at, lasted) AS (
    VALUES
    ('warehouse', 'minor', 'Monday report a day late', '2026-09-01 03:31+00', '1 day')
)

INSERT INTO engineering.incident (service_id, severity, summary, opened_at, resolved_at)
SELECT
    service.id AS service_id,
    seed.severity::engineering.severity AS severity,
    seed.summary,
    seed.opened_at::timestamptz AS opened_at,
    seed.opened_at::timestamptz + seed.lasted::interval AS resolved_at
FROM seed
INNER JOIN engineering.service ON seed.name = service.name;

WITH seed (summary, author, body, later) AS (
    VALUES
    ('Monday report a day late', 'analyst', 'The load runs again tonight.', '6 hours')
)

INSERT INTO engineering.incident_update (incident_id, author, body, posted_at)
SELECT
    incident.id AS incident_id,
    seed.author,
    seed.body,
    incident.opened_at + seed.later::interval AS posted_at
FROM seed
INNER JOIN engineering.incident ON seed.summary = incident.summary;

WITH seed (flag, name, is_enabled, rollout_percent) AS (
    VALUES
    ('hourly_load', 'warehouse', TRUE, 10)
)

INSERT INTO engineering.feature_flag (name, service_id, is_enabled, rollout_percent)
SELECT
    seed.flag AS name,
    service.id AS service_id,
    seed.is_enabled,
    seed.rollout_percent
FROM seed
INNER JOIN engineering.service ON seed.name = service.name;

SELECT set_config('app.team_id', '', TRUE);
RESET ROLE;
