"""SQL files, read by PostgreSQL's own parser.

The parser is loaded when something is parsed, and not before.
"""
