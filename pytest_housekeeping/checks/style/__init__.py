"""The style of SQL files, by sqlfluff."""
