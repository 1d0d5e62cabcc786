"""Layouts: how each tool keeps its migrations, one module a tool.

- ``layout``: what a layout tells: files in order, and what of each runs.
- ``own``, ``flyway``, ``dbmate``, ``goose``, ``sql_migrate``, ``tern``, ``node_pg_migrate``,
  ``golang_migrate``, ``supabase``, ``prisma``, ``sqitch``, ``diesel``, ``sqlx``, ``atlas``,
  ``drizzle``: the tools.
- ``two_halves``, ``halves``, ``directions``, ``folders``, ``numbered``, ``placeholders``: what
  several of them share.
- ``flyway_conf``: what Flyway is told beside its files.
- ``psql``, ``enclosing``: what stands in files of any tool and is no statement of the batch.
- ``parts``: a file of which each statement that no transaction can hold is a step of its own.
- ``read``: a file of a project as its layout reads it.
- ``detect``: which tool's files are in a project; ``in_code``: which one's, where they are no SQL.
"""
