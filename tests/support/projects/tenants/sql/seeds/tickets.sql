-- hk: row-security=on
SET LOCAL ROLE desk_app;
SELECT set_config('app.tenant_id', '11111111-1111-1111-1111-111111111111', true);
INSERT INTO desk.ticket (tenant_id, subject)
VALUES ('11111111-1111-1111-1111-111111111111', 'printer'),
('11111111-1111-1111-1111-111111111111', 'coffee');
SELECT set_config('app.tenant_id', '22222222-2222-2222-2222-222222222222', true);
INSERT INTO desk.ticket (tenant_id, subject)
VALUES ('22222222-2222-2222-2222-222222222222', 'door');
