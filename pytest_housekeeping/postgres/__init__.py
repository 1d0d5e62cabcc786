"""PostgreSQL: connections, the one transaction, the history in the target."""
