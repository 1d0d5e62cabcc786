-- Who may enter governance: the officer, who reads, and the clerk, who files. No application does,
-- and checks/boundaries.toml holds venture to that.

REVOKE ALL ON SCHEMA governance FROM PUBLIC, governance_officer, governance_clerk;
GRANT USAGE ON SCHEMA governance TO governance_officer, governance_clerk;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA governance
FROM PUBLIC, governance_officer, governance_clerk;
GRANT EXECUTE ON FUNCTION
governance.current_jurisdiction(),
governance.ledger_digest(governance.ledger, bytea),
governance.ledger_breaks()
TO governance_officer, governance_clerk;
