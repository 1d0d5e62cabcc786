CREATE TABLE desk.note (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    ticket_id bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES desk.ticket (tenant_id, id)
);
CREATE INDEX note_ticket ON desk.note (tenant_id, ticket_id);
ALTER TABLE desk.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;
