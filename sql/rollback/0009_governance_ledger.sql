-- The ledger goes, and with it the proof of what was decided. Export it first.

DROP TRIGGER approval_record ON governance.approval;
DROP FUNCTION governance.record_approval();
DROP FUNCTION governance.ledger_breaks();
DROP TRIGGER ledger_keep ON governance.ledger;
DROP TRIGGER ledger_append_only ON governance.ledger;
DROP TRIGGER ledger_chain ON governance.ledger;
DROP FUNCTION governance.refuse_change();
DROP FUNCTION governance.chain_ledger();
DROP FUNCTION governance.ledger_digest(governance.ledger, bytea);
DROP TABLE governance.ledger;
