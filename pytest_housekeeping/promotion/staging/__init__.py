"""Staging as a target: a throwaway database on which everything is tried, rollbacks included."""
