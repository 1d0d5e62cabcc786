"""Python source: calls, ORM models and the text that reaches a cursor."""
