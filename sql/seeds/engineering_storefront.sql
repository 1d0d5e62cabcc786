-- hk: row-security=on
-- The storefront team: what customers see. Its gateway is not the gateway of the platform.

SET LOCAL ROLE engineering_app;
SELECT set_config('app.team_id', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', TRUE);

INSERT INTO engineering.team (name) VALUES
('Storefront');

INSERT INTO engineering.service (name, repository_url, tier) VALUES
('checkout', 'https://git.example/storefront/checkout', 1),
('gateway', 'https://git.example/storefront/gateway', 2);

WITH seed (name, digit, outcome, started_at, took) AS (
    VALUES
    ('checkout', 'd', 'succeeded', '2026-05-05 10:30+00', '3 minutes'),
    ('checkout', 'e', 'running', '2026-11-02 14:00+00', NULL)
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
    ('checkout', 'major', 'Totals shown without tax', '2026-05-05 10:41+00', '2 hours')
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
    ('Totals shown without tax', 'on-call', 'Flag new_totals is off.', '9 minutes')
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
    ('new_totals', 'checkout', FALSE, 0),
    ('one_page', 'checkout', TRUE, 100)
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
