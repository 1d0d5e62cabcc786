"""PostgreSQL: connections, the one transaction, the history in the target.

- ``connection``, ``session``: connections that checks may borrow but not end, and savepoints.
- ``transaction``: begin, apply, prove, seal; ``deferred`` is what would run inside COMMIT.
- ``session_state``: what it watches while it is open; ``locks``: what is asked and known of them.
- ``own_tables``: what the target remembers; ``tables`` how they are made, ``rows`` and ``chain``
  how rows hold together, ``shape`` (read by ``catalog``) what else stands there, ``guard`` all of
  it during a run.
- ``statement_errors``, ``simple_query``, ``wire_messages``: the server's answers.

Other rooms import from these.
"""
