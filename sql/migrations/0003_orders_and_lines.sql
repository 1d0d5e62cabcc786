-- Orders and their lines. The table is orders, in the plural, because ORDER is a reserved word.

CREATE TYPE venture.order_status AS ENUM ('draft', 'placed', 'shipped', 'paid', 'cancelled');

CREATE TABLE venture.orders (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL,
    reference text NOT NULL,
    status venture.order_status NOT NULL DEFAULT 'draft',
    placed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES venture.customer (tenant_id, id),
    CONSTRAINT orders_reference_key UNIQUE (tenant_id, reference),
    CONSTRAINT orders_placed_when_not_draft CHECK (
        status IN ('draft', 'cancelled') OR placed_at IS NOT NULL
    )
);
COMMENT ON TABLE venture.orders IS 'What a customer has asked for, from draft to paid.';
CREATE INDEX orders_customer_idx ON venture.orders (tenant_id, customer_id);

CREATE TABLE venture.order_line (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id bigint NOT NULL,
    product_id bigint NOT NULL,
    quantity integer NOT NULL,
    unit_price numeric(12, 2) NOT NULL,
    line_total numeric(12, 2) NOT NULL GENERATED ALWAYS AS (quantity * unit_price) STORED,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES venture.orders (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, product_id) REFERENCES venture.product (tenant_id, id),
    CONSTRAINT order_line_product_key UNIQUE (tenant_id, order_id, product_id),
    CONSTRAINT order_line_quantity_positive CHECK (quantity > 0),
    CONSTRAINT order_line_price_not_negative CHECK (unit_price >= 0)
);
COMMENT ON TABLE venture.order_line IS 'One product of an order, at the price agreed that day.';
CREATE INDEX order_line_product_idx ON venture.order_line (tenant_id, product_id);

CREATE FUNCTION venture.order_total(wanted_order bigint) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = ''
AS $$
    SELECT coalesce(sum(line.line_total), 0)
    FROM venture.order_line AS line
    WHERE line.order_id = wanted_order
$$;

REVOKE ALL ON FUNCTION venture.order_total(bigint) FROM PUBLIC;
COMMENT ON FUNCTION venture.order_total(bigint) IS
'The sum of the lines that the asking role can see.';
