CREATE OR REPLACE VIEW shop.cheap AS
SELECT
    id,
    name
FROM shop.item
WHERE price < 30;
