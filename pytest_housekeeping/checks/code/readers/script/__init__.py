"""JavaScript and TypeScript source: query builders, mappers and template strings.

- ``read``: a file, by all of the following
- ``tree``, ``script_file``, ``scope``: the syntax tree, the file, what its names are given
- ``sinks``, ``loose_text``: statements that a database gets, and other texts
- ``builders``, ``chains``, ``mappers``, ``tables``: tables that libraries name without SQL
- ``options``: roles and schemas of a connection
- ``text``: text as a script puts it together
"""
