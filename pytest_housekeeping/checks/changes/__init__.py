"""What a batch does to everybody else who uses the database, as the copy has shown it.

Each rule is data and a pure function over what was measured; size and traffic in production make
its level.
"""
