"""The system catalogs: which rows they hold, and the session in which they are asked."""
