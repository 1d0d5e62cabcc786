"""A few made-up rows in the tables that a batch touches, and what becomes of them.

- ``seeding``: the rows, accepted by the schema of before the batch and of after it
- ``values``: what they hold, before and after
"""
