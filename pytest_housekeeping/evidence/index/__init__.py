"""All runs that the evidence tells of, put together: what an index and a population are made of."""
