"""Proofs by the planner: EXPLAIN folds a policy to false, or a counterexample is found.

- ``condition``: the policies of one command as one condition
- ``prove``: does any row pass?
- ``own_rows``: does any row of others pass?
- ``exposure``, ``counterexample``: what is open without a context, with a row that shows it
"""
