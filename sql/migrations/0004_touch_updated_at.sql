-- Support could not tell when a record had last changed: the database keeps the date from now on.
-- now() as a default is evaluated once for the rows that exist, so no table is rewritten.

CREATE FUNCTION venture.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
REVOKE ALL ON FUNCTION venture.touch_updated_at() FROM PUBLIC;

ALTER TABLE venture.tenant ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE venture.customer ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE venture.product ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE venture.orders ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

CREATE TRIGGER tenant_touch BEFORE UPDATE ON venture.tenant
FOR EACH ROW EXECUTE FUNCTION venture.touch_updated_at();

CREATE TRIGGER customer_touch BEFORE UPDATE ON venture.customer
FOR EACH ROW EXECUTE FUNCTION venture.touch_updated_at();

CREATE TRIGGER product_touch BEFORE UPDATE ON venture.product
FOR EACH ROW EXECUTE FUNCTION venture.touch_updated_at();

CREATE TRIGGER orders_touch BEFORE UPDATE ON venture.orders
FOR EACH ROW EXECUTE FUNCTION venture.touch_updated_at();
