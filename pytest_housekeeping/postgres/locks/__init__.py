"""Locks: which a batch asks for, how long it waits, who holds them, and who is in the way."""
