-- Customers and products go, with all that is known of them.

DROP TABLE venture.product;
DROP TABLE venture.customer;
