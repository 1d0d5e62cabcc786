-- The events go, of every quarter.

DROP TRIGGER orders_event ON venture.orders;
DROP FUNCTION venture.record_order_event();
DROP TABLE venture.event;
DROP FUNCTION venture.add_event_partition(date);
DROP FUNCTION venture.guard_event_partition(regclass);
