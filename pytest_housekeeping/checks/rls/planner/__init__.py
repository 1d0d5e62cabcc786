"""Proofs by the planner: EXPLAIN folds a policy to false, or a counterexample is found.

- ``condition``: the policies of one command as one condition
- ``prove``: does any row pass?
- ``own_rows``: does any row of others pass?
- ``near_rows``, ``near_cases``: does one that is close to one's own?
- ``tables_read``, ``constraints``: what the tables that a policy reads, and the constraints of its
  own, keep from passing
- ``exposure``, ``counterexample``: what is open without a context, with a row that shows it
"""
