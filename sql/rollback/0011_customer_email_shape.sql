-- Any text is an address again.

ALTER TABLE venture.customer DROP CONSTRAINT customer_email_shape;
