-- Events belong to one tenant, and are only added. These are the policies of the way in, the
-- parent; venture.guard_event_partition() gives each partition the same.

ALTER TABLE venture.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE venture.event FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS tenant_isolation ON venture.event;
CREATE POLICY tenant_isolation ON venture.event
FOR ALL TO venture_app
USING (tenant_id = (SELECT venture.current_tenant()))
WITH CHECK (tenant_id = (SELECT venture.current_tenant()));

REVOKE ALL ON TABLE venture.event FROM PUBLIC, venture_app;
GRANT SELECT, INSERT ON TABLE venture.event TO venture_app;

-- Partitions guard themselves when they are made. Here it is said again, so that applying this file
-- repairs one that was attached by hand.
SELECT venture.guard_event_partition(inheritance.inhrelid::regclass)
FROM pg_catalog.pg_inherits AS inheritance
WHERE inheritance.inhparent = 'venture.event'::regclass;
