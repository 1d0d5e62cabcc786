-- hk: row-security=on
-- Alpine Outfitters: ropes and boots, the tenant with one order in every state.
-- Written as the application writes: as venture_app, through the policies, tenant_id by default.

SET LOCAL ROLE venture_app;
SELECT set_config('app.tenant_id', '11111111-1111-4111-8111-111111111111', TRUE);

INSERT INTO venture.tenant (name, country_code) VALUES
('Alpine Outfitters', 'CH');

INSERT INTO venture.customer (name, email, country_code) VALUES
('Bergschule Engadin', 'office@bergschule.example', 'CH'),
('Hut Supplies Tyrol', 'orders@hut-supplies.example', 'AT'),
('Club Alpin Jura', 'materiel@club-jura.example', 'FR');

INSERT INTO venture.product (sku, name, unit_price, is_active) VALUES
('ROPE-60', 'Climbing rope, 60 m', 189.00, TRUE),
('BOOT-42', 'Mountain boots, size 42', 249.50, TRUE),
('STOVE-G', 'Gas stove', 74.90, TRUE),
('LAMP-1', 'Head lamp, first model', 39.00, FALSE);

WITH seed (email, number, status, placed_at) AS (
    VALUES
    ('office@bergschule.example', 'A-1001', 'paid', '2026-01-14 09:30+01'),
    ('orders@hut-supplies.example', 'A-1002', 'shipped', '2026-03-02 16:05+01'),
    ('materiel@club-jura.example', 'A-1003', 'placed', '2026-05-20 11:45+02'),
    ('office@bergschule.example', 'A-1004', 'draft', NULL),
    ('orders@hut-supplies.example', 'A-1005', 'cancelled', NULL)
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
    ('A-1001', 'ROPE-60', 12),
    ('A-1001', 'LAMP-1', 20),
    ('A-1002', 'STOVE-G', 8),
    ('A-1003', 'BOOT-42', 6),
    ('A-1003', 'ROPE-60', 2),
    ('A-1004', 'BOOT-42', 1),
    ('A-1005', 'STOVE-G', 3)
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
    ('A-1001', '2026-01-15'),
    ('A-1002', '2026-03-04')
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
    ('INV-A-1001', 0.40, 'transfer', '2026-01-20 10:00+01'),
    ('INV-A-1001', 0.60, 'transfer', '2026-02-10 10:00+01'),
    ('INV-A-1002', 0.50, 'card', '2026-03-05 08:15+01')
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
('tenant.opened', 'tenant', '2025-12-01 08:00+01'),
('order.placed', 'order/A-1001', '2026-01-14 09:30+01'),
('order.placed', 'order/A-1002', '2026-03-02 16:05+01'),
('order.placed', 'order/A-1003', '2026-05-20 11:45+02');

SELECT set_config('app.tenant_id', '', TRUE);
RESET ROLE;
