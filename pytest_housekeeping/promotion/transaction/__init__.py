"""The one transaction of a segment: its files applied, its COMMIT, and the locks on the way."""
