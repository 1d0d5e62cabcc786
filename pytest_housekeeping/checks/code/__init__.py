"""Which line of an application's code names which table: read, resolved by the server, judged."""
