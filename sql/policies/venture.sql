-- What venture_app may enter and call; what it may do with each table stands in the table's file.
-- Each file of this folder first takes everything back, so that a GRANT that is deleted from it is
-- gone from the database too. Functions of triggers need no grant to fire.
--
-- The table files compare with (SELECT venture.current_tenant()) and not with the bare call: the
-- planner then asks once for each query, not once for each row.

REVOKE ALL ON SCHEMA venture FROM PUBLIC, venture_app;
GRANT USAGE ON SCHEMA venture TO venture_app;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA venture FROM PUBLIC, venture_app;
GRANT EXECUTE ON FUNCTION
venture.current_tenant(),
venture.order_total(bigint),
venture.place_order(bigint),
venture.issue_invoice(bigint, integer)
TO venture_app;
