-- hk: row-security=on
-- Meadow Coffee: small amounts, a refund and a third paid, where rounding would show.
-- Written as the application writes: as venture_app, through the policies, tenant_id by default.

SET LOCAL ROLE venture_app;
SELECT set_config('app.tenant_id', '33333333-3333-4333-8333-333333333333', TRUE);

INSERT INTO venture.tenant (name, country_code) VALUES
('Meadow Coffee', 'SE');

INSERT INTO venture.customer (name, email, country_code) VALUES
('Kafé Vasa', 'hej@kafe-vasa.example', 'SE'),
('Fjord Bakery', 'post@fjord-bakery.example', 'NO');

INSERT INTO venture.product (sku, name, unit_price, is_active) VALUES
('BEAN-250', 'House beans, 250 g', 83.33, TRUE),
('FILTER-100', 'Filters, box of 100', 45.67, TRUE);

WITH seed (email, number, status, placed_at) AS (
    VALUES
    ('hej@kafe-vasa.example', 'M-1', 'paid', '2026-04-11 07:45+02'),
    ('post@fjord-bakery.example', 'M-2', 'shipped', '2026-10-01 10:10+02')
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
    ('M-1', 'BEAN-250', 3),
    ('M-1', 'FILTER-100', 1),
    ('M-2', 'BEAN-250', 7)
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
    ('M-1', '2026-04-11'),
    ('M-2', '2026-10-02')
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
    ('INV-M-1', 1.00, 'card', '2026-04-11 07:46+02'),
    ('INV-M-1', -0.10, 'card', '2026-04-15 12:00+02'),
    ('INV-M-2', 0.333, 'cash', '2026-10-03 09:30+02')
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
('order.placed', 'order/M-1', '2026-04-11 07:45+02'),
('order.placed', 'order/M-2', '2026-10-01 10:10+02');

SELECT set_config('app.tenant_id', '', TRUE);
RESET ROLE;
