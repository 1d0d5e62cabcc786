CREATE FUNCTION desk.words(body text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT SET search_path = ''
AS $$ SELECT pg_catalog.cardinality(pg_catalog.string_to_array(body, ' ')) $$;
