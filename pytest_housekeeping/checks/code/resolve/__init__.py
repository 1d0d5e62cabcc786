"""What references mean on the uncommitted schema, as the server says it."""
