-- hk: row-security=on
-- The records of the German office.
-- Each approval enters the ledger by its trigger.

SET LOCAL ROLE governance_clerk;
SELECT set_config('app.jurisdiction', 'DE', TRUE);

INSERT INTO governance.policy (title, version, document_url, effective_on) VALUES
('Access to production', 1, 'https://docs.example/de/access-1.pdf', '2026-02-01');

WITH seed (title, version, approver, decision, decided_at) AS (
    VALUES
    ('Access to production', 1, 'works council', 'approved', '2026-01-28 11:00+01')
)

INSERT INTO governance.approval (policy_id, approver, decision, decided_at)
SELECT
    policy.id AS policy_id,
    seed.approver,
    seed.decision::governance.decision AS decision,
    seed.decided_at::timestamptz AS decided_at
FROM seed
INNER JOIN governance.policy ON seed.title = policy.title AND seed.version = policy.version;

INSERT INTO governance.ledger (subject, action, detail) VALUES
('office', 'opened', '{"city": "Hamburg"}');

SELECT set_config('app.jurisdiction', '', TRUE);
RESET ROLE;
