"""A set of words out of one text, for the lists of names that the readers know."""

from __future__ import annotations


def vocabulary(text: str) -> frozenset[str]:
    """The words of the text."""
    return frozenset(text.split())
