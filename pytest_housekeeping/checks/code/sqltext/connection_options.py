"""Connection strings and options that choose a role or a search_path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.names import WrittenName
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template

_RUN_TIME = "\ue000"
_LIST = r"(?:[\w$\"\ue000]+(?:(?:\s*,\s*|%2C)[\w$\"\ue000]+)*)"
_PATH = re.compile(rf"(?:-c\s*|--|[?&\s'\"]|^)search_path\s*(?:=|%3D)\s*({_LIST})", re.IGNORECASE)
_ROLE = re.compile(r"-c\s*role(?:=|%3D)([\w\ue000]+)", re.IGNORECASE)
_SCHEMA = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://[^\s]*[?&](?:schema|currentSchema)=([\w\ue000,]+)"
)
_USER = re.compile(r"^(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?://([A-Za-z_]\w*)(?::[^@/]*)?@")
_KEYWORD_USER = re.compile(r"(?:^|\s)user\s*=\s*'?([A-Za-z_]\w*)")
_KEYWORDS = re.compile(r"(?:^|\s)(?:dbname|host|port|password|sslmode|hostaddr|service)\s*=\s*\S")


def looks_like_settings(text: str) -> bool:
    """The cheap question: could there be an option in it at all?"""
    return "search_path" in text or "://" in text or "role" in text or "user=" in text


def settings(template: Template) -> tuple[tuple[WrittenName, ...], bool]:
    """Roles and schemas that the options choose, and whether one is chosen at run time."""
    text = "".join(_RUN_TIME if isinstance(part, Hole) else part for part in template)
    found = list(_names(text))
    return (
        tuple(spelt for spelt in found if _RUN_TIME not in spelt.parts[0]),
        any(_RUN_TIME in spelt.parts[0] for spelt in found),
    )


def _names(text: str) -> Iterator[WrittenName]:
    for pattern, kind in (
        (_PATH, ReferenceKind.SCHEMA),
        (_SCHEMA, ReferenceKind.SCHEMA),
        (_ROLE, ReferenceKind.ROLE),
    ):
        for match in pattern.finditer(text):
            for part in re.finditer(r"[\w$\ue000]+", match[1].replace("%2C", ",,,")):
                if part[0] not in ("$user", "user"):
                    yield WrittenName(
                        (part[0],), kind, part[0], text.count(part[0], 0, match.start(1))
                    )
    user = _USER.search(text)
    if user is None and _KEYWORDS.search(text):
        user = _KEYWORD_USER.search(text)
    if user is not None and _RUN_TIME not in user[1]:
        yield WrittenName(
            (user[1],), ReferenceKind.ROLE, user[1], text.count(user[1], 0, user.start(1))
        )
