"""PostgreSQL: connections, the one transaction, the history in the target.

- ``connection``, ``session``: connections that checks may borrow but not end, and savepoints.
- ``transaction``: begin, apply, prove, seal; ``deferred`` is what would run inside COMMIT.
- ``promotion_lock``, ``relation_locks``, ``session_state``: what it watches while it is open.
- ``lock_budget`` is for how long it waits for locks, ``lock_requests`` asks for them ahead.
- ``history``: what the target remembers; ``history_tables`` how its tables are made,
  ``history_rows`` and ``history_chain`` how rows hold together, ``history_shape`` (read by
  ``history_catalog``) what else stands there, ``history_guard`` all of it during a run.
- ``statement_errors``, ``simple_query``, ``wire_messages``: the server's answers.

Other rooms import from these.
"""
