-- The officer reads, the clerk files, each within one jurisdiction. A decision stands.

ALTER TABLE governance.approval ENABLE ROW LEVEL SECURITY;
ALTER TABLE governance.approval FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS jurisdiction_isolation ON governance.approval;
CREATE POLICY jurisdiction_isolation ON governance.approval
FOR ALL TO governance_officer, governance_clerk
USING (jurisdiction = (SELECT governance.current_jurisdiction()))
WITH CHECK (jurisdiction = (SELECT governance.current_jurisdiction()));

REVOKE ALL ON TABLE governance.approval FROM PUBLIC, governance_officer, governance_clerk;
GRANT SELECT ON TABLE governance.approval TO governance_officer;
GRANT SELECT, INSERT ON TABLE governance.approval TO governance_clerk;
