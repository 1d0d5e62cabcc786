-- A ledger that can only grow: numbered without gaps in each jurisdiction, each entry sealed with
-- a digest of itself and of the entry before it, so that a change made behind its back shows.

CREATE TABLE governance.ledger (
    jurisdiction text NOT NULL DEFAULT governance.current_jurisdiction(),
    entry_no bigint NOT NULL,
    subject text NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    digest bytea NOT NULL,
    PRIMARY KEY (jurisdiction, entry_no),
    CONSTRAINT ledger_jurisdiction_shape CHECK (jurisdiction ~ '^[A-Z]{2}$')
);
COMMENT ON TABLE governance.ledger IS 'What was decided, in order. Entries are only added.';
COMMENT ON COLUMN governance.ledger.entry_no IS 'Given by ledger_chain: 1, 2, 3 ... in each.';
COMMENT ON COLUMN governance.ledger.digest IS 'SHA-256 of the previous digest and this entry.';

-- The epoch, because the text of a timestamp depends on the session's time zone.
CREATE FUNCTION governance.ledger_digest(entry governance.ledger, previous bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = ''
AS $$
    SELECT sha256(
        coalesce(previous, ''::bytea)
        || convert_to(
            jsonb_build_array(
                entry.jurisdiction, entry.entry_no, entry.subject, entry.action, entry.detail,
                extract(EPOCH FROM entry.recorded_at)
            )::text,
            'UTF8'
        )
    )
$$;
REVOKE ALL ON FUNCTION governance.ledger_digest(governance.ledger, bytea) FROM PUBLIC;

-- Two entries at once would read the same predecessor: the lock makes them take turns, and the
-- statement after it has a new snapshot and sees what the other one wrote.
CREATE FUNCTION governance.chain_ledger() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    last_no bigint;
    last_digest bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('governance.ledger/' || NEW.jurisdiction, 0));
    SELECT previous.entry_no, previous.digest INTO last_no, last_digest
    FROM governance.ledger AS previous
    WHERE previous.jurisdiction = NEW.jurisdiction
    ORDER BY previous.entry_no DESC
    LIMIT 1;
    NEW.entry_no := coalesce(last_no, 0) + 1;
    NEW.digest := governance.ledger_digest(NEW, last_digest);
    RETURN NEW;
END;
$$;
REVOKE ALL ON FUNCTION governance.chain_ledger() FROM PUBLIC;

CREATE FUNCTION governance.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'Record a correction as a new entry.';
END;
$$;
REVOKE ALL ON FUNCTION governance.refuse_change() FROM PUBLIC;

-- An approval is in the ledger because the database puts it there, not because a program did.
CREATE FUNCTION governance.record_approval() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    INSERT INTO governance.ledger (jurisdiction, subject, action, detail)
    VALUES (
        NEW.jurisdiction,
        'policy/' || NEW.policy_id,
        NEW.decision::text,
        jsonb_build_object('approver', NEW.approver)
    );
    RETURN NULL;
END;
$$;
REVOKE ALL ON FUNCTION governance.record_approval() FROM PUBLIC;

-- What is wrong with the entries that the asking role can see; no row when nothing is.
CREATE FUNCTION governance.ledger_breaks()
RETURNS TABLE (jurisdiction text, entry_no bigint, defect text)
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    WITH chained AS (
        SELECT
            entry.jurisdiction,
            entry.entry_no,
            row_number() OVER chain AS expected_no,
            entry.digest,
            governance.ledger_digest(entry, lag(entry.digest) OVER chain) AS expected_digest
        FROM governance.ledger AS entry
        WINDOW chain AS (PARTITION BY entry.jurisdiction ORDER BY entry.entry_no)
    )
    SELECT
        chained.jurisdiction,
        chained.entry_no,
        CASE
            WHEN chained.entry_no <> chained.expected_no THEN 'gap'
            ELSE 'digest'
        END
    FROM chained
    WHERE chained.entry_no <> chained.expected_no OR chained.digest <> chained.expected_digest
    ORDER BY chained.jurisdiction, chained.entry_no
$$;
REVOKE ALL ON FUNCTION governance.ledger_breaks() FROM PUBLIC;

CREATE TRIGGER ledger_chain BEFORE INSERT ON governance.ledger
FOR EACH ROW EXECUTE FUNCTION governance.chain_ledger();

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON governance.ledger
FOR EACH ROW EXECUTE FUNCTION governance.refuse_change();

-- TRUNCATE fires no row trigger.
CREATE TRIGGER ledger_keep BEFORE TRUNCATE ON governance.ledger
FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER approval_record AFTER INSERT ON governance.approval
FOR EACH ROW EXECUTE FUNCTION governance.record_approval();
