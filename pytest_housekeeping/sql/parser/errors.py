"""What the parser raises."""

from __future__ import annotations


class ParseError(Exception):
    """A text that PostgreSQL's parser refuses: its message, and the place in characters from 0.

    The place is None where none is known. At the end of the input it is the text's length.
    """

    def __init__(self, message: str, location: int | None = None) -> None:
        super().__init__(message, location)
        self.message = message
        self.location = location

    def __str__(self) -> str:
        place = "" if self.location is None else f", at index {self.location}"
        return f"{self.message}{place}"


class Unprintable(Exception):
    """A tree for which no SQL is known."""
