"""What is asked of a schema: objects, queries, rules, boundaries, code, rollbacks, style."""
