"""What the repository says: of the commit that runs, who signs, and what runs have left in it."""
