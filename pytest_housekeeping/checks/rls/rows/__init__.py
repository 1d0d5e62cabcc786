"""Rows made up for a table, so that its constraints accept them: proofs need no data then.

- ``canary``: a row for each of two identities, inserted in a savepoint
- ``made_up_identities``: the two identities
- ``row_maker``, ``constraint_values``: the values of a row, its parents first
- ``candidate_values``, ``type_values``, ``regex_samples``: values to try for one column
- ``table_shape``, ``shape_query``: what a row of a table must be like
"""
