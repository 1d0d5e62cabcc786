"""Databases for ordinary tests: clones of a template that is made of the files, and kept."""
