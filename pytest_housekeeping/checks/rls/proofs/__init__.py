"""The two proofs by doing: nothing without a context, and nothing of another identity."""
