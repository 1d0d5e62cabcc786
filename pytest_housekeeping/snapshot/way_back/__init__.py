"""A proposal of the SQL that takes a change back."""
