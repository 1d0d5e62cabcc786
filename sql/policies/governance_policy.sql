-- The officer reads, the clerk files, each within one jurisdiction. A change is a new version.

ALTER TABLE governance.policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE governance.policy FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS jurisdiction_isolation ON governance.policy;
CREATE POLICY jurisdiction_isolation ON governance.policy
FOR ALL TO governance_officer, governance_clerk
USING (jurisdiction = (SELECT governance.current_jurisdiction()))
WITH CHECK (jurisdiction = (SELECT governance.current_jurisdiction()));

REVOKE ALL ON TABLE governance.policy FROM PUBLIC, governance_officer, governance_clerk;
GRANT SELECT ON TABLE governance.policy TO governance_officer;
GRANT SELECT, INSERT ON TABLE governance.policy TO governance_clerk;
