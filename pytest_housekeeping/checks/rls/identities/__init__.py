"""Who is who: the identities that the rows belong to, and the rows that each of them sees.

- ``identities``: the settings that carry identities, and whom to act for on each table
- ``visible_rows``: the rows that a role sees acting for one, and the rows that belong to it
"""
