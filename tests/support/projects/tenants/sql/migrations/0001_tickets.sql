CREATE SCHEMA desk;
REVOKE ALL ON SCHEMA desk FROM public;
CREATE TABLE desk.ticket (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.ticket FORCE ROW LEVEL SECURITY;
CREATE SCHEMA vault;
REVOKE ALL ON SCHEMA vault FROM public;
CREATE TABLE vault.secret (
    id bigint PRIMARY KEY,
    content text NOT NULL
);
