ALTER TABLE shop.item ADD COLUMN price numeric(10, 2) NOT NULL DEFAULT 0;
INSERT INTO shop.item (id, name, price) VALUES (1, 'lamp', 20), (2, 'chair', 45);
