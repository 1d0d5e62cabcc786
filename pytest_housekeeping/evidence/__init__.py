"""The record of runs: audit, journal, reports, and git, which keeps them."""
