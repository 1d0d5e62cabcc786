"""Which line of an application's code names which table: read, resolved by the server, judged.

- ``facts``: what the readers tell of source files
- ``readers``: source files read, by language and by content
- ``reading``: the code of all applications, read before the transaction begins
- ``sqltext``: SQL that stands in code: recognised, completed, parsed, and what it names
- ``resolve``: what references mean, as the server says it
- ``verdict``: what the code does against its contracts, with exemptions and baseline
- ``vocabulary``: lists of words that the readers know
"""
