-- The tenants of venture, the countries they trade in, and the one function that says who asks.

CREATE SCHEMA venture;
COMMENT ON SCHEMA venture IS 'The trading business. Every row belongs to one tenant.';

-- NULL without a context, so that every comparison with it is not true and nothing is seen.
-- An empty string is what a custom setting falls back to once it has been set in a session.
CREATE FUNCTION venture.current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = ''
AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;

REVOKE ALL ON FUNCTION venture.current_tenant() FROM PUBLIC;
COMMENT ON FUNCTION venture.current_tenant() IS 'The tenant on whose behalf the session acts.';

CREATE TABLE venture.country (
    code text PRIMARY KEY,
    name text NOT NULL,
    currency text NOT NULL,
    CONSTRAINT country_code_shape CHECK (code ~ '^[A-Z]{2}$'),
    CONSTRAINT country_currency_shape CHECK (currency ~ '^[A-Z]{3}$')
);
COMMENT ON TABLE venture.country IS 'Where tenants and customers are. The same for everybody.';

CREATE TABLE venture.tenant (
    id uuid PRIMARY KEY DEFAULT venture.current_tenant(),
    name text NOT NULL,
    country_code text NOT NULL REFERENCES venture.country (code),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE venture.tenant IS 'A company that trades through venture.';
CREATE INDEX tenant_country_idx ON venture.tenant (country_code);

-- Reference data is part of the schema: production needs it, and seeds never reach production.
INSERT INTO venture.country (code, name, currency) VALUES
('AT', 'Austria', 'EUR'),
('CH', 'Switzerland', 'CHF'),
('DE', 'Germany', 'EUR'),
('FR', 'France', 'EUR'),
('GB', 'United Kingdom', 'GBP'),
('NL', 'Netherlands', 'EUR'),
('NO', 'Norway', 'NOK'),
('SE', 'Sweden', 'SEK'),
('US', 'United States', 'USD');
