"""A schema and its roles as SQL text: the same schema, the same bytes."""
