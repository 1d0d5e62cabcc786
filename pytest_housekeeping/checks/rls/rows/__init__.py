"""Rows made up for a table, so that its constraints accept them: proofs need no data then."""
