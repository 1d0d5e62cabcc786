"""Privileges as sorted lines of names: `grant INSERT, SELECT to app by owner`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import spelt, unquoted

# The letters of an ACL: https://www.postgresql.org/docs/18/ddl-priv.html#PRIVILEGE-ABBREVS-TABLE
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one role was granted by another. The grantee "" is PUBLIC.

    ``privileges`` is a sorted list of words, or ALL. ``grantable`` is WITH GRANT OPTION.
    """

    privileges: str
    grantee: str
    grantor: str
    grantable: bool


def grants_of(items: Sequence[str], every: str) -> Iterator[Grant]:
    """The grants in one ACL. ``every`` are the letters of all privileges of such an object.

    Who holds them all holds ALL: a major version that knows one more (17: MAINTAIN) is no change.
    """
    for item in items:
        grantee, letters, grantor = _parsed(item)
        grants = re.findall(r"([A-Za-z])(\*?)", letters)
        for star in ("", "*"):
            if held := "".join(letter for letter, option in grants if option == star):
                yield Grant(
                    privileges=_named(held, every),
                    grantee=grantee,
                    grantor=grantor,
                    grantable=bool(star),
                )


def in_order(grants: Iterable[Grant]) -> Iterator[Grant]:
    """Each behind the one that gave its grantor the right to make it, sorted otherwise."""
    left = sorted(grants, key=astuple)
    while left:
        waiting = [each for each in left if any(_allows(other, each) for other in left)]
        yield from (each for each in left if each not in waiting) if waiting != left else left
        left = waiting if waiting != left else []


@lru_cache(maxsize=4096)
def describe_acl(items: tuple[str, ...], every: str, owner: str = "") -> tuple[str, ...]:
    """The grants of one ACL as sorted lines. ``every``: see `grants_of`.

    ``owner`` is told as "its owner", where it does not matter who that is.
    """
    lines = (
        f"grant {grant.privileges} to {_told(grant.grantee, owner)}"
        f" by {_told(grant.grantor, owner)}{' with grant option' * grant.grantable}"
        for grant in grants_of(items, every)
    )
    return tuple(sorted(lines)) or ("nothing granted",)


def grantor_at_first(items: Sequence[str]) -> str:
    """Whose an object was when it was made: nobody else could grant anything on it then, and its
    ACL follows the owner where that of its beginning does not."""
    return _parsed(items[0])[2] if items else ""


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


def _allows(one: Grant, other: Grant) -> bool:
    """Whether the other was made by right of the one; what a role gives itself allows nothing."""
    if not one.grantable or one.grantee != other.grantor or one.grantor == one.grantee:
        return False
    words, wanted = (set(each.privileges.split(", ")) for each in (one, other))
    return "ALL" in words | wanted or bool(words & wanted)


def _told(name: str, owner: str) -> str:
    """A role in a fingerprint; the role "" is PUBLIC."""
    if name and name == owner:
        return "its owner"
    return spelt(name) if name else "PUBLIC"


def _named(held: str, every: str) -> str:
    if every and set(held) == set(every):
        return "ALL"
    return ", ".join(sorted(_WORDS.get(letter, letter) for letter in held))


def _parsed(item: str) -> tuple[str, str, str]:
    match = _ITEM.fullmatch(item)
    if match is None:
        return item, "", ""
    return unquoted(match[1]), match[2], unquoted(match[3])
