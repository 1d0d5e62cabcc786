"""Policy expressions: read, and rewritten with the values of what depends on the context alone.

- ``policies``: what a table's policies compare with the context
- ``context_only``, ``function_bodies``: whether an expression depends on nothing but the context
- ``rewrite``, ``disjuncts``: the expression with values put in, as disjuncts
- ``constants``, ``schema_usage``: these values, read from the server as the role
- ``names``, ``readable``, ``syntax_tree``: parsing, and what an expression names
"""
