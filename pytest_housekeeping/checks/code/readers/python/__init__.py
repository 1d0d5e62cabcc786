"""Python source: calls, ORM models and the text that reaches a cursor.

- ``read``: a file, by all of the following
- ``walk``, ``survey``, ``scope``: one walk through the tree, what it notes, what names are given
- ``calls``, ``sinks``: calls that name something, calls that hand a statement to a database
- ``orm``, ``models``: tables as objects and as classes
- ``text``: text as Python puts it together
"""
