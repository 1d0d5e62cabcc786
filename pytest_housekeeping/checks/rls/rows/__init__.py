"""Rows made up for a table, so that its constraints accept them."""
