"""The history that another tool keeps in a database: what it has applied, in which order.

- ``table``: a history as it was read, and how one is found.
- ``readers``: the table of each tool.
- ``checksums``: what each tool remembers of a file's text.
- ``match``: the rows beside the files of the project.
"""
