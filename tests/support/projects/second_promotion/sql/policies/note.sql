GRANT SELECT, INSERT, UPDATE, DELETE ON desk.note TO desk_app;
GRANT SELECT ON desk.pressing TO desk_app;
DROP POLICY IF EXISTS own_tenant ON desk.note;
CREATE POLICY own_tenant ON desk.note TO desk_app
USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
