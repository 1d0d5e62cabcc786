-- Invoices and payments go. Export them first: what is owed stands nowhere else.

DROP TABLE venture.payment;
DROP TABLE venture.invoice;
DROP TYPE venture.payment_method;
