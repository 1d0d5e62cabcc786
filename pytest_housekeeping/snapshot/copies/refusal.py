"""Where a backup did not restore, and what to do about it, from what psql said."""

from __future__ import annotations

import re

_FAILED_AT = re.compile(r":(\d+): (?:ERROR|FATAL)")
# What pg_dump writes above each object: `-- Name: t; Type: TABLE; Schema: s; Owner: o`.
_HEADLINE = re.compile(r"^-- (?:Data for )?Name: (.+); Type: (.+); Schema: (.+?); Owner: ")


def object_at(text: bytes, said: list[str]) -> str:
    """What pg_dump was writing where psql stopped, as its own headline there calls it."""
    failed = next((found for line in said if (found := _FAILED_AT.search(line))), None)
    lines = text.decode(errors="replace").split("\n")[: int(failed[1]) if failed else 0]
    headline = next((found for line in reversed(lines) if (found := _HEADLINE.match(line))), None)
    if headline is None:
        return ""
    name, kind, schema = headline.groups()
    return f"{kind.lower()} {name if schema == '-' else f'{schema}.{name}'}: "


def remedy(said: list[str]) -> str:
    """What to do about what psql has said."""
    if any("ICU" in line for line in said):
        return (
            "the embedded server knows no ICU collations: install the server package of"
            " PostgreSQL in production's version on this machine, which is used then"
        )
    if any("CONTEXT" in line and "function" in line for line in said):
        return (
            "a dump is restored with an empty search_path: let the function write the schema before"
            " each name, or give it a path of its own (ALTER FUNCTION … SET search_path = …), and"
            " run again"
        )
    return (
        "repair in production what cannot be restored (a view on what is gone, say), or install"
        " what this machine's PostgreSQL lacks, and run again"
    )
