-- Policies that nobody has approved yet: the officer's list for the next meeting.

CREATE OR REPLACE VIEW governance.pending_policies
WITH (security_invoker = TRUE) AS
SELECT
    policy.jurisdiction,
    policy.id,
    policy.title,
    policy.version,
    policy.document_url,
    policy.effective_on
FROM governance.policy
WHERE NOT EXISTS (
    SELECT 1
    FROM governance.approval
    WHERE
        approval.jurisdiction = policy.jurisdiction
        AND approval.policy_id = policy.id
        AND approval.decision = 'approved'
);

COMMENT ON VIEW governance.pending_policies IS 'Policies without an approval.';

REVOKE ALL ON TABLE governance.pending_policies FROM PUBLIC, governance_officer, governance_clerk;
GRANT SELECT ON TABLE governance.pending_policies TO governance_officer;
