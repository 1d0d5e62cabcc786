"""Proofs by the planner: EXPLAIN folds a condition, or a counterexample is found."""
