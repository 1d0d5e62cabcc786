"""A few made-up rows in the tables that a batch touches, and what becomes of them."""
