"""The names in the syntax trees of PostgreSQL's own parser."""

from __future__ import annotations

from typing import Any


def names_of(parts: Any) -> tuple[str, ...]:
    """The parts of a qualified name, as a function or an operator has it."""
    return tuple(str(part.sval) for part in parts or ())
