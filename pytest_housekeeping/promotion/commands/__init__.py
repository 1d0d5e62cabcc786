"""What ``python -m pytest_housekeeping`` does: a module a command."""
