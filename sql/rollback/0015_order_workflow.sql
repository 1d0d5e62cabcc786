-- Orders are placed and invoiced by whoever writes the rows.

DROP FUNCTION venture.issue_invoice(bigint, integer);
DROP FUNCTION venture.place_order(bigint);
