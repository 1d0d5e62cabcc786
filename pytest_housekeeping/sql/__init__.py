"""SQL files, read by PostgreSQL's own parser."""
