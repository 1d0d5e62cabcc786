GRANT USAGE ON SCHEMA desk TO desk_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.ticket TO desk_app;
DROP POLICY IF EXISTS own_tenant ON desk.ticket;
CREATE POLICY own_tenant ON desk.ticket TO desk_app
USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
