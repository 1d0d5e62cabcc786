"""The two proofs: nothing without a context, and nothing of another identity."""
