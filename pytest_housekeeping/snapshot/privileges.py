"""Privileges as sorted lines of names: `grant INSERT, SELECT to app by owner`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pytest_housekeeping.postgres.connection import Connection

_WORDS = {
    "r": "SELECT",
    "a": "INSERT",
    "w": "UPDATE",
    "d": "DELETE",
    "D": "TRUNCATE",
    "x": "REFERENCES",
    "t": "TRIGGER",
    "m": "MAINTAIN",
    "X": "EXECUTE",
    "U": "USAGE",
    "C": "CREATE",
    "c": "CONNECT",
    "T": "TEMPORARY",
    "s": "SET",
    "A": "ALTER SYSTEM",
}
_ITEM = re.compile(r'("(?:[^"]|"")*"|[^="]*)=([A-Za-z*]*)/(.*)', re.DOTALL)
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def quote_name(name: str) -> str:
    """A name as one types it; a role that nobody is, is PUBLIC."""
    if not name:
        return "PUBLIC"
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=4096)
def describe_acl(items: tuple[str, ...], every: str, owner: str = "") -> tuple[str, ...]:
    """The items of one ACL, sorted. ``every`` are the letters of all privileges of such an object.

    ``owner`` is told as "its owner", where it does not matter who that is. Who holds them all holds
    ALL: a major version that knows one more (17: MAINTAIN) is no change.
    """
    lines = []
    for item in items:
        grantee, letters, grantor = _parsed(item)
        grants = re.findall(r"([A-Za-z])(\*?)", letters)
        for star in ("", "*"):
            held = "".join(letter for letter, option in grants if option == star)
            if held:
                option = " with grant option" if star else ""
                lines.append(
                    f"grant {_named(held, every)} to {_told(grantee, owner)}"
                    f" by {_told(grantor, owner)}{option}"
                )
    return tuple(sorted(lines)) or ("nothing granted",)


def read_every_privilege(connection: Connection) -> Mapping[str, str]:
    """For each kind of object that has an ACL, the letters of all its privileges."""
    row = connection.execute(
        "SELECT pg_catalog.array_agg(kind || pg_catalog.array_to_string("
        " pg_catalog.acldefault(kind::\"char\", 10), ',')) "
        " FROM pg_catalog.unnest('{r,s,d,f,l,n,F,S,T}'::text[]) AS kind"
    ).fetchone()
    found: Sequence[str] = row[0] if row else ()
    letters = {each[0]: "".join(_parsed(item)[1] for item in each[1:].split(",")) for each in found}
    return {kind: "".join(sorted(set(each))) for kind, each in letters.items()} | {"c": ""}


def _told(name: str, owner: str) -> str:
    return "its owner" if name and name == owner else quote_name(name)


def _named(held: str, every: str) -> str:
    if every and set(held) == set(every):
        return "ALL"
    return ", ".join(sorted(_WORDS.get(letter, letter) for letter in held))


def _parsed(item: str) -> tuple[str, str, str]:
    match = _ITEM.fullmatch(item)
    if match is None:
        return item, "", ""
    return _bare(match[1]), match[2], _bare(match[3])


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
