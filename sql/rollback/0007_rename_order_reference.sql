-- The number is called reference again; no value is lost.

ALTER VIEW IF EXISTS venture.open_orders RENAME COLUMN number TO reference;
ALTER TABLE venture.orders RENAME CONSTRAINT orders_number_key TO orders_reference_key;
ALTER TABLE venture.orders RENAME COLUMN number TO reference;
