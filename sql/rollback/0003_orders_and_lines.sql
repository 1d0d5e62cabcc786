-- Orders and their lines go.

DROP FUNCTION venture.order_total(bigint);
DROP TABLE venture.order_line;
DROP TABLE venture.orders;
DROP TYPE venture.order_status;
