"""The conditions of policies, read: what they depend on, and what they come to."""
