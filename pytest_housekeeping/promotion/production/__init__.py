"""Production as a target: its address, prechecks, backup, baseline and what it remembers."""
