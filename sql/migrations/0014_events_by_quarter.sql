-- What happened, for the tenants' activity page. Partitioned, so that an old quarter can be
-- detached and archived instead of deleted row by row.

CREATE TABLE venture.event (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id, occurred_at)
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE venture.event IS 'What happened to a tenant''s records, a partition a quarter.';
CREATE INDEX event_recent_idx ON venture.event (tenant_id, occurred_at);

-- A partition that is named in a query answers with its own policies, not with its parent's: it
-- has the same one. Nobody is granted anything on it; the way in is the parent.
CREATE FUNCTION venture.guard_event_partition(part regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('DROP POLICY IF EXISTS tenant_isolation ON %s', part);
    EXECUTE format(
        'CREATE POLICY tenant_isolation ON %s FOR ALL TO venture_app'
        ' USING (tenant_id = (SELECT venture.current_tenant()))'
        ' WITH CHECK (tenant_id = (SELECT venture.current_tenant()))',
        part
    );
    EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC, venture_app', part);
END;
$$;
REVOKE ALL ON FUNCTION venture.guard_event_partition(regclass) FROM PUBLIC;

-- Called by the migration that opens the next year. Guarded from birth: the policy files, which
-- have not changed by then, are not applied again.
CREATE FUNCTION venture.add_event_partition(any_day date) RETURNS regclass
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    first_day date := date_trunc('quarter', any_day)::date;
    part text := 'event_' || to_char(first_day, 'YYYY"_q"Q');
BEGIN
    EXECUTE format(
        'CREATE TABLE venture.%I PARTITION OF venture.event FOR VALUES FROM (%L) TO (%L)',
        part,
        first_day || ' 00:00:00+00',
        (first_day + interval '3 months')::date || ' 00:00:00+00'
    );
    EXECUTE format(
        'COMMENT ON TABLE venture.%I IS %L',
        part,
        'Events of the quarter that begins on ' || first_day || ', UTC.'
    );
    PERFORM venture.guard_event_partition(format('venture.%I', part)::regclass);
    RETURN format('venture.%I', part)::regclass;
END;
$$;
REVOKE ALL ON FUNCTION venture.add_event_partition(date) FROM PUBLIC;

SELECT venture.add_event_partition('2026-01-01');
SELECT venture.add_event_partition('2026-04-01');
SELECT venture.add_event_partition('2026-07-01');
SELECT venture.add_event_partition('2026-10-01');

-- An event is never lost because nobody opened its quarter in time.
CREATE TABLE venture.event_unplanned PARTITION OF venture.event DEFAULT;
COMMENT ON TABLE venture.event_unplanned IS 'Events of quarters that have no partition yet.';
SELECT venture.guard_event_partition('venture.event_unplanned');

CREATE FUNCTION venture.record_order_event() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    INSERT INTO venture.event (tenant_id, kind, subject, detail)
    VALUES (
        NEW.tenant_id,
        'order.' || NEW.status,
        'order/' || NEW.number,
        jsonb_build_object('from', OLD.status, 'total', NEW.total)
    );
    RETURN NULL;
END;
$$;
REVOKE ALL ON FUNCTION venture.record_order_event() FROM PUBLIC;

CREATE TRIGGER orders_event AFTER UPDATE OF status ON venture.orders
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
EXECUTE FUNCTION venture.record_order_event();
