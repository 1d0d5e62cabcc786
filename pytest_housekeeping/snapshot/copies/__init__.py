"""A database restored of a backup: proved to be what it was taken from, kept, and doubled."""
