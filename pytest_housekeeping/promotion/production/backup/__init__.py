"""The backup of production, the server that it is restored on, and what is known of both."""
