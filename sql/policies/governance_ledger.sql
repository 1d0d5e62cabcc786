-- The officer reads, the clerk adds, each within one jurisdiction. Nobody is granted a change, and
-- whoever owns the table and could make one meets the trigger ledger_append_only.

ALTER TABLE governance.ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE governance.ledger FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS jurisdiction_isolation ON governance.ledger;
CREATE POLICY jurisdiction_isolation ON governance.ledger
FOR ALL TO governance_officer, governance_clerk
USING (jurisdiction = (SELECT governance.current_jurisdiction()))
WITH CHECK (jurisdiction = (SELECT governance.current_jurisdiction()));

REVOKE ALL ON TABLE governance.ledger FROM PUBLIC, governance_officer, governance_clerk;
GRANT SELECT ON TABLE governance.ledger TO governance_officer;
GRANT SELECT, INSERT ON TABLE governance.ledger TO governance_clerk;
