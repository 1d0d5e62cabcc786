"""All runs that the evidence tells of, put together: what an index and a population are made of.

- ``continuity``: where one run ended the next one has to begin, or it was changed outside
- ``people``: who asked for what was promoted, and who wrote it, as far as git tells
- ``population``: every change of a real database, and whether it is shown that these are all
- ``schema_texts``: the schema at any time, kept as differences
- ``rows``: all of that, the newest first
- ``fleet_rows``: the runs on whole fleets among them
- ``moments``: from when to when
"""
