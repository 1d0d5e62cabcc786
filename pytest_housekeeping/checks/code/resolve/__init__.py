"""Names of the code, resolved in the schema that is about to be committed."""
