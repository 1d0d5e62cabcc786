"""SQL files, read by PostgreSQL's own parser.

- ``folder``, ``file``: which files there are, and what is known of one without running it.
- ``header``, ``problems``, ``own_transaction``, ``foreign_marks``: what a file says of itself, and
  what keeps it out of a plan.
- ``own_schema`` (``own_schema_words`` in texts): where a file names the tool's own tables.
- ``layouts``: how each tool keeps its migrations, and what of a file runs.
- ``parse``, ``effects``: statements and trees, and what they do to transaction and session.
- ``identifiers``: the one place where names are quoted.
- ``repeatable``, ``created_object``: what a file makes, and what takes it down again.

Other rooms import from these: the parser is loaded when something is parsed, and not before.
"""
