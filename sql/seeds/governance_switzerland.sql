-- hk: row-security=on
-- The records of the Swiss office: a policy that was rejected, revised and approved.
-- Each approval enters the ledger by its trigger.

SET LOCAL ROLE governance_clerk;
SELECT set_config('app.jurisdiction', 'CH', TRUE);

INSERT INTO governance.policy (title, version, document_url, effective_on) VALUES
('Access to production', 1, 'https://docs.example/ch/access-1.pdf', '2026-01-01'),
('Access to production', 2, 'https://docs.example/ch/access-2.pdf', '2026-04-01'),
('Retention of invoices', 1, 'https://docs.example/ch/retention-1.pdf', '2027-01-01');

WITH seed (title, version, approver, decision, decided_at) AS (
    VALUES
    ('Access to production', 1, 'security', 'rejected', '2025-12-10 10:00+01'),
    ('Access to production', 2, 'security', 'approved', '2026-03-20 10:00+01'),
    ('Access to production', 2, 'legal', 'approved', '2026-03-22 16:30+01')
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
('office', 'audited', '{"auditor": "external", "findings": 0}');

SELECT set_config('app.jurisdiction', '', TRUE);
RESET ROLE;
