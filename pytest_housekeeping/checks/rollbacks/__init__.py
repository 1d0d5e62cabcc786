"""Rollback files: whether they undo their migration, and what they destroy."""
