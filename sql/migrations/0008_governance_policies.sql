-- The rules that the company has given itself, and who agreed to them, by jurisdiction.
-- Neither application has any business here: an officer reads, a clerk files.

CREATE SCHEMA governance;
COMMENT ON SCHEMA governance IS 'The company''s rules and records. No application enters.';

CREATE FUNCTION governance.current_jurisdiction() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = ''
AS $$ SELECT nullif(current_setting('app.jurisdiction', true), '') $$;

REVOKE ALL ON FUNCTION governance.current_jurisdiction() FROM PUBLIC;
COMMENT ON FUNCTION governance.current_jurisdiction() IS 'The jurisdiction that is being served.';

CREATE TYPE governance.decision AS ENUM ('approved', 'rejected');

CREATE TABLE governance.policy (
    jurisdiction text NOT NULL DEFAULT governance.current_jurisdiction(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    title text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    document_url text NOT NULL,
    effective_on date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (jurisdiction, id),
    CONSTRAINT policy_version_key UNIQUE (jurisdiction, title, version),
    CONSTRAINT policy_jurisdiction_shape CHECK (jurisdiction ~ '^[A-Z]{2}$'),
    CONSTRAINT policy_version_positive CHECK (version > 0)
);
COMMENT ON TABLE governance.policy IS 'A rule of the company. A change is a new version.';

CREATE TABLE governance.approval (
    jurisdiction text NOT NULL DEFAULT governance.current_jurisdiction(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    policy_id bigint NOT NULL,
    approver text NOT NULL,
    decision governance.decision NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (jurisdiction, id),
    FOREIGN KEY (jurisdiction, policy_id) REFERENCES governance.policy (jurisdiction, id),
    CONSTRAINT approval_approver_key UNIQUE (jurisdiction, policy_id, approver)
);
COMMENT ON TABLE governance.approval IS 'What one approver decided about one policy, once.';
