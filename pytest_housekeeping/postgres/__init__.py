"""PostgreSQL: connections, the one transaction, the history in the target.

- ``connection``, ``session``: connections that checks may borrow but not end, and savepoints.
- ``transaction``: begin, apply, prove, seal; ``deferred`` is what would run inside COMMIT.
- ``promotion_lock``, ``relation_locks``, ``session_state``: what it watches while it is open.
- ``history``, ``own_tables``: what the target remembers.
- ``statement_errors``, ``simple_query``, ``wire_messages``: the server's answers.

Other rooms import from these.
"""
