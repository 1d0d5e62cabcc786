-- Customers call it the order number, and a reference is what they put on a payment.

ALTER TABLE venture.orders RENAME COLUMN reference TO number;
ALTER TABLE venture.orders RENAME CONSTRAINT orders_reference_key TO orders_number_key;

-- A view follows the table's new name but keeps its own column's, and CREATE OR REPLACE refuses to
-- change that. Where the view is older than this file, its column is renamed with the table's.
ALTER VIEW IF EXISTS venture.open_orders RENAME COLUMN reference TO number;
