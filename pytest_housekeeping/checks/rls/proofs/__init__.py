"""The two proofs by doing: nothing without a context, and nothing of another identity.

- ``request``: what a proof is asked for
- ``no_context``, ``unset_setting``: what a session without a context can do
- ``isolation``: what a role that acts for one identity can do to the rows of another
- ``isolation_pairs``, ``isolation_attempts``, ``isolation_run``: who is tried, with what, and how
  the answers are judged
- ``copy_out``: the same question to COPY
- ``joining``: whether one can make oneself a member of what is another's
- ``other_settings``: settings that policies listen to, and that the contract does not name
- ``made_up_reads``, ``not_tried``: what only made-up rows can tell, and what is not asked
"""
