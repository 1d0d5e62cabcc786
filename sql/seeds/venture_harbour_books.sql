-- hk: row-security=on
-- Harbour Books: a bookshop with order numbers, a sku and a customer that Alpine has too.
-- Written as the application writes: as venture_app, through the policies, tenant_id by default.

SET LOCAL ROLE venture_app;
SELECT set_config('app.tenant_id', '22222222-2222-4222-8222-222222222222', TRUE);

INSERT INTO venture.tenant (name, country_code) VALUES
('Harbour Books', 'NL');

INSERT INTO venture.customer (name, email, country_code) VALUES
('Stadsbibliotheek Haven', 'inkoop@bibliotheek.example', 'NL'),
('Bergschule Engadin', 'office@bergschule.example', 'CH');

INSERT INTO venture.product (sku, name, unit_price, is_active) VALUES
('ATLAS-7', 'Atlas, seventh edition', 64.95, TRUE),
('ROPE-60', 'Knots and ropes, a handbook', 22.50, TRUE);

WITH seed (email, number, status, placed_at) AS (
    VALUES
    ('inkoop@bibliotheek.example', 'A-1001', 'paid', '2026-02-03 12:00+01'),
    ('office@bergschule.example', 'A-1002', 'placed', '2026-07-09 14:20+02')
)

INSERT INTO venture.orders (customer_id, number, status, placed_at)
SELECT
    customer.id AS customer_id,
    seed.number,
    seed.status::venture.order_status AS status,
    seed.placed_at::timestamptz AS placed_at
FROM seed
INNER JOIN venture.customer ON seed.email = customer.email;

WITH seed (number, sku, quantity) AS (
    VALUES
    ('A-1001', 'ATLAS-7', 30),
    ('A-1001', 'ROPE-60', 5),
    ('A-1002', 'ROPE-60', 15)
)

INSERT INTO venture.order_line (order_id, product_id, quantity, unit_price)
SELECT
    orders.id AS order_id,
    product.id AS product_id,
    seed.quantity,
    product.unit_price
FROM seed
INNER JOIN venture.orders ON seed.number = orders.number
INNER JOIN venture.product ON seed.sku = product.sku;

WITH seed (number, issued_on) AS (
    VALUES
    ('A-1001', '2026-02-04')
)

INSERT INTO venture.invoice (order_id, number, amount, issued_on, due_on)
SELECT
    orders.id AS order_id,
    'INV-' || orders.number AS number,
    orders.total AS amount,
    seed.issued_on::date AS issued_on,
    seed.issued_on::date + 30 AS due_on
FROM seed
INNER JOIN venture.orders ON seed.number = orders.number;

WITH seed (number, share, method, received_at) AS (
    VALUES
    ('INV-A-1001', 1.00, 'transfer', '2026-02-27 09:00+01')
)

INSERT INTO venture.payment (invoice_id, amount, method, received_at)
SELECT
    invoice.id AS invoice_id,
    round(invoice.amount * seed.share, 2) AS amount,
    seed.method::venture.payment_method AS method,
    seed.received_at::timestamptz AS received_at
FROM seed
INNER JOIN venture.invoice ON seed.number = invoice.number;

INSERT INTO venture.event (kind, subject, occurred_at) VALUES
('order.placed', 'order/A-1001', '2026-02-03 12:00+01'),
('order.placed', 'order/A-1002', '2026-07-09 14:20+02');

SELECT set_config('app.tenant_id', '', TRUE);
RESET ROLE;
