CREATE SCHEMA shop;
CREATE TABLE shop.item (
    id bigint PRIMARY KEY,
    name text NOT NULL
);
