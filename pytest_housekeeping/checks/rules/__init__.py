"""The engine of rules: the query of a .sql file evaluated over a scope, and statements tried as a
role.
"""
