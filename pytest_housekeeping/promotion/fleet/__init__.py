"""Many databases of one schema: grouped, rehearsed once a group, promoted in waves."""
