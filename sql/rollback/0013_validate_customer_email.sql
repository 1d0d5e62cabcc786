-- The constraint binds new rows and says nothing of old ones, as after 0011.

ALTER TABLE venture.customer DROP CONSTRAINT customer_email_shape;
ALTER TABLE venture.customer
ADD CONSTRAINT customer_email_shape CHECK (email ~ '^[^@\s]+@[^@\s]+$') NOT VALID;
