-- What engineering_app may enter and call. What it may do with a table stands in the table's file.

REVOKE ALL ON SCHEMA engineering FROM PUBLIC, engineering_app;
GRANT USAGE ON SCHEMA engineering TO engineering_app;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA engineering FROM PUBLIC, engineering_app;
GRANT EXECUTE ON FUNCTION engineering.current_team() TO engineering_app;
