"""Proofs by the planner: EXPLAIN folds a policy to false, or a counterexample is found."""
