-- No function may be called by PUBLIC. PostgreSQL grants that to every new function, so forgetting
-- the REVOKE is enough.
SELECT functions.oid::regprocedure::text AS function_name
FROM pg_catalog.pg_proc AS functions
WHERE
    functions.pronamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
    AND has_function_privilege('public', functions.oid, 'EXECUTE')
ORDER BY function_name;
