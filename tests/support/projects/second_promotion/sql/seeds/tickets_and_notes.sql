-- hk: row-security=on
SET LOCAL ROLE desk_app;
SELECT set_config('app.tenant_id', '11111111-1111-1111-1111-111111111111', true);
INSERT INTO desk.note (tenant_id, ticket_id, body)
SELECT tenant_id, id, 'out of paper' FROM desk.ticket;
SELECT set_config('app.tenant_id', '22222222-2222-2222-2222-222222222222', true);
INSERT INTO desk.note (tenant_id, ticket_id, body)
SELECT tenant_id, id, 'it sticks' FROM desk.ticket;
