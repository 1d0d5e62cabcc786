-- What statements reach, by making a function of each and reading its dependencies.
-- One round trip for all. Nothing is run, and every function is undone with its savepoint.
CREATE FUNCTION pg_temp.hk_resolve(statements jsonb) RETURNS SETOF jsonb
LANGUAGE plpgsql
AS $hk_resolve$
DECLARE
    entry jsonb;
    types text;
    prepared boolean;
    reached jsonb;
BEGIN
    FOR entry IN SELECT value FROM pg_catalog.jsonb_array_elements(statements) LOOP
        prepared := false;
        reached := NULL;
        BEGIN
            EXECUTE 'PREPARE hk_code_reference AS ' || (entry ->> 1);
            SELECT pg_catalog.array_to_string(p.parameter_types, ', ') INTO types
            FROM pg_catalog.pg_prepared_statements AS p WHERE p.name = 'hk_code_reference';
            prepared := true;
            EXECUTE pg_catalog.format(
                E'CREATE FUNCTION pg_temp.hk_code_reference(%s) RETURNS void LANGUAGE sql'
                ' BEGIN ATOMIC %s\n; END', types, entry ->> 1
            );
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
                d.refclassid::pg_catalog.regclass = 'pg_catalog.pg_class'::pg_catalog.regclass,
                d.refobjid::bigint, d.refobjsubid
            )) INTO reached
            FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND p.pronamespace = pg_catalog.pg_my_temp_schema()
                AND p.proname = 'hk_code_reference'
                AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass,
                                     'pg_catalog.pg_proc'::pg_catalog.regclass);
            RAISE EXCEPTION USING ERRCODE = 'HK000', MESSAGE = 'undone';
        EXCEPTION WHEN OTHERS THEN
            RETURN NEXT pg_catalog.jsonb_build_object(
                'id', entry -> 0,
                'reached', CASE WHEN SQLSTATE = 'HK000' THEN coalesce(reached, '[]') END,
                'prepared', prepared,
                'state', SQLSTATE,
                'message', SQLERRM
            );
        END;
        -- A prepared statement outlives the savepoint that it was made in.
        IF EXISTS (SELECT FROM pg_catalog.pg_prepared_statements AS p
                   WHERE p.name = 'hk_code_reference') THEN
            EXECUTE 'DEALLOCATE hk_code_reference';
        END IF;
    END LOOP;
END;
$hk_resolve$
