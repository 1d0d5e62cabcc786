"""Connection strings and options that choose a role or a search_path.

https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-CONNSTRING
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template
from pytest_housekeeping.checks.code.sqltext.written import WrittenName

# A character of Unicode's private use area stands for a hole.
_RUN_TIME = "\ue000"
_LIST = r"(?:[\w$\"\ue000]+(?:(?:\s*,\s*|%2C)[\w$\"\ue000]+)*)"
_PATH = re.compile(rf"(?:-c\s*|--|[?&\s'\"]|^)search_path\s*(?:=|%3D)\s*({_LIST})", re.IGNORECASE)
_ROLE = re.compile(r"-c\s*role(?:=|%3D)([\w\ue000]+)", re.IGNORECASE)
# schema is Prisma's, currentSchema the JDBC driver's.
_SCHEMA = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://[^\s]*[?&](?:schema|currentSchema)=([\w\ue000,]+)"
)
_USER = re.compile(r"^(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?://([A-Za-z_]\w*)(?::[^@/]*)?@")
_KEYWORD_USER = re.compile(r"(?:^|\s)user\s*=\s*'?([A-Za-z_]\w*)")
_KEYWORDS = re.compile(r"(?:^|\s)(?:dbname|host|port|password|sslmode|hostaddr|service)\s*=\s*\S")


def may_hold_options(text: str) -> bool:
    """A cheap question that spares most texts the rest: could an option be in it at all?"""
    return "search_path" in text or "://" in text or "role" in text or "user=" in text


def connection_options(template: Template) -> tuple[tuple[WrittenName, ...], bool]:
    """Roles and schemas that the options choose, and whether one is chosen at run time."""
    text = "".join(_RUN_TIME if isinstance(part, Hole) else part for part in template)
    found = list(_names(text))
    return (
        tuple(name for name in found if _RUN_TIME not in name.parts[0]),
        any(_RUN_TIME in name.parts[0] for name in found),
    )


def _names(text: str) -> Iterator[WrittenName]:
    for pattern, kind in (
        (_PATH, ReferenceKind.SCHEMA),
        (_SCHEMA, ReferenceKind.SCHEMA),
        (_ROLE, ReferenceKind.ROLE),
    ):
        for match in pattern.finditer(text):
            # As long as before, so that the places stay.
            value = match[1].replace("%2C", ",,,")
            for part in re.findall(r"[\w$\ue000]+", value):
                if part not in ("$user", "user"):
                    yield _name(part, kind, text, match.start(1))
    user = _USER.search(text)
    if user is None and _KEYWORDS.search(text):
        user = _KEYWORD_USER.search(text)
    if user is not None and _RUN_TIME not in user[1]:
        yield _name(user[1], ReferenceKind.ROLE, text, user.start(1))


def _name(name: str, kind: ReferenceKind, text: str, at: int) -> WrittenName:
    return WrittenName((name,), kind, name, text.count(name, 0, at))
