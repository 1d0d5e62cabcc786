-- What customers owe, and what they have paid. Neither is ever deleted.

CREATE TYPE venture.payment_method AS ENUM ('transfer', 'card', 'cash');

CREATE TABLE venture.invoice (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id bigint NOT NULL,
    number text NOT NULL,
    amount numeric(12, 2) NOT NULL,
    issued_on date NOT NULL DEFAULT current_date,
    due_on date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES venture.orders (tenant_id, id),
    CONSTRAINT invoice_number_key UNIQUE (tenant_id, number),
    CONSTRAINT invoice_order_key UNIQUE (tenant_id, order_id),
    CONSTRAINT invoice_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT invoice_due_after_issue CHECK (due_on >= issued_on)
);
COMMENT ON TABLE venture.invoice IS 'What an order costs its customer. One for each order.';

CREATE TABLE venture.payment (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    invoice_id bigint NOT NULL,
    amount numeric(12, 2) NOT NULL,
    method venture.payment_method NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES venture.invoice (tenant_id, id),
    CONSTRAINT payment_amount_not_zero CHECK (amount <> 0)
);
COMMENT ON TABLE venture.payment IS 'Money received for an invoice. A refund is negative.';
CREATE INDEX payment_invoice_idx ON venture.payment (tenant_id, invoice_id);
