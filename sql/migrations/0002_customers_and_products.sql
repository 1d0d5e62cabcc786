-- Who buys, and what is sold.
-- Keys begin with the tenant: one index serves the policy, the foreign keys of the children and
-- the lookup; a child cannot point at another tenant's row, which a foreign key alone would allow,
-- since it is checked without row-level security; and a clash tells nobody what others have.

CREATE TABLE venture.customer (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    email text NOT NULL,
    country_code text NOT NULL REFERENCES venture.country (code),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE venture.customer IS 'Somebody who buys from a tenant.';
CREATE UNIQUE INDEX customer_email_key ON venture.customer (tenant_id, lower(email));
CREATE INDEX customer_country_idx ON venture.customer (country_code);

CREATE TABLE venture.product (
    tenant_id uuid NOT NULL DEFAULT venture.current_tenant() REFERENCES venture.tenant (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    sku text NOT NULL,
    name text NOT NULL,
    unit_price numeric(12, 2) NOT NULL,
    is_active boolean NOT NULL DEFAULT TRUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT product_sku_key UNIQUE (tenant_id, sku),
    CONSTRAINT product_price_not_negative CHECK (unit_price >= 0)
);
COMMENT ON TABLE venture.product IS 'What a tenant sells. A retired product is kept, inactive.';
