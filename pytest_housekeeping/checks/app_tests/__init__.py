"""The applications' own tests, and what the server has refused them."""
