-- No price is below zero.
SELECT
    id,
    price
FROM shop.item
WHERE price < 0
