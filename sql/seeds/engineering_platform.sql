-- hk: row-security=on
-- The platform team: what everything else stands on.

SET LOCAL ROLE engineering_app;
SELECT set_config('app.team_id', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', TRUE);

INSERT INTO engineering.team (name) VALUES
('Platform');

INSERT INTO engineering.service (name, repository_url, tier) VALUES
('gateway', 'https://git.example/platform/gateway', 1),
('identity', 'https://git.example/platform/identity', 1);

WITH seed (name, digit, outcome, started_at, took) AS (
    VALUES
    ('gateway', 'a', 'succeeded', '2026-03-03 09:00+00', '4 minutes'),
    ('gateway', 'b', 'reverted', '2026-06-16 13:20+00', '11 minutes'),
    ('identity', 'c', 'succeeded', '2026-06-17 08:05+00', '6 minutes')
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
    ('gateway', 'critical', 'Every other request timed out', '2026-06-16 13:32+00', '47 minutes'),
    ('identity', 'minor', 'Sign-in page in the wrong language', '2026-10-08 15:00+00', NULL)
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
    ('Every other request timed out', 'on-call', 'Reverting the deployment.', '5 minutes'),
    ('Every other request timed out', 'on-call', 'Reverted, the queue is draining.', '31 minutes'),
    ('Sign-in page in the wrong language', 'desk', 'Two reports from Norway.', '20 minutes')
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
    ('http3', 'gateway', TRUE, 25),
    ('passkeys', 'identity', FALSE, 0)
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
