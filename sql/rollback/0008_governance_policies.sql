-- Governance goes: the company's rules, and who agreed to them.

DROP TABLE governance.approval;
DROP TABLE governance.policy;
DROP TYPE governance.decision;
DROP FUNCTION governance.current_jurisdiction();
DROP SCHEMA governance;
