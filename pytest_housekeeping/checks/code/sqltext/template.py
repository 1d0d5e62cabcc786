"""Text that is put together in code: fixed parts, and holes that are filled at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """A part that is known at run time only. ``value``: it is surely quoted or a parameter."""

    expression: str
    value: bool = False


Template: TypeAlias = tuple[str | Hole, ...]


def join(*templates: Sequence[str | Hole]) -> Template:
    """One after the other, neighbouring texts made one."""
    parts: list[str | Hole] = []
    for template in templates:
        for part in template:
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
    return tuple(parts)


def static_text(template: Template | None) -> str | None:
    """The text, when there is no hole in it; else None."""
    if template is None or any(isinstance(part, Hole) for part in template):
        return None
    return "".join(part for part in template if isinstance(part, str))


def visible_text(template: Template) -> str:
    """The fixed text; a blank where a hole is."""
    return "".join(part if isinstance(part, str) else " " for part in template)
