"""Policy expressions: read, and rewritten with the values of what depends on the context alone.

- ``policies``, ``comparisons``, ``called``: what a table's policies, and the functions that they
  call, compare with the context
- ``never_true``: conditions that are true for no row
- ``settings_read``: the settings that policies listen to
- ``context_only``, ``function_bodies``: whether an expression depends on nothing but the context
- ``rewrite``, ``disjuncts``: the expression with values put in, as disjuncts
- ``constants``, ``schema_usage``: these values, read from the server as the role
- ``names``, ``readable``, ``syntax_tree``: parsing, and what an expression names
"""
