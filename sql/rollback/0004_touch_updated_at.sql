-- When a record last changed is known no more.

DROP TRIGGER orders_touch ON venture.orders;
DROP TRIGGER product_touch ON venture.product;
DROP TRIGGER customer_touch ON venture.customer;
DROP TRIGGER tenant_touch ON venture.tenant;

ALTER TABLE venture.orders DROP COLUMN updated_at;
ALTER TABLE venture.product DROP COLUMN updated_at;
ALTER TABLE venture.customer DROP COLUMN updated_at;
ALTER TABLE venture.tenant DROP COLUMN updated_at;

DROP FUNCTION venture.touch_updated_at();
