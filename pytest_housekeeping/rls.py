"""The row-level-security contract: what is protected, from whom, and what is exempt."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pytest_housekeeping.strict_toml import (
    Problems,
    closest,
    expect_keys,
    read_toml,
    tables_of,
    text_of,
    texts_of,
)

_WHY = "a contract that is misread would protect something else than was meant"
_KEYS = {"schemas": True, "roles": True, "context": True, "exempt": False}
_EXEMPT_KEYS = {"rule": True, "object": True, "reason": True, "until": False}
_SETTING = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+")
# A star stands for itself inside a quoted name only.
_WILDCARD = re.compile(r'^(?:[^"]|"[^"]*")*?[*%]')


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """One object that one rule need not hold for, with the reason, and perhaps an end."""

    rule: str
    object: str
    reason: str
    until: date | None = None

    def holds_on(self, today: date) -> bool:
        """An exemption holds on its last day."""
        return self.until is None or today <= self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class RlsContract:
    """Every table in ``schemas`` is protected from ``roles``.

    ``context`` names the settings that carry the identity of a session.
    """

    schemas: tuple[str, ...]
    roles: tuple[str, ...]
    context: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


def parse_rls(
    text: str, *, known_rules: Collection[str], path: str = "checks/rls.toml"
) -> RlsContract:
    """Read ``checks/rls.toml``. Raises MisuseError that names every problem of the file."""
    problems = Problems(path)
    document = read_toml(text, problems)
    if document:
        expect_keys(document, _KEYS, "the file", problems)
    elif not text.strip():
        problems.add("it is empty")
    contract = RlsContract(
        schemas=texts_of(document, "schemas", "the file", problems, kind="schema names"),
        roles=texts_of(document, "roles", "the file", problems, kind="role names"),
        context=texts_of(
            document,
            "context",
            "the file",
            problems,
            valid=lambda value: bool(_SETTING.fullmatch(value)),
            kind="settings, which are written 'app.tenant_id'",
            may_be_empty=True,
        ),
        exemptions=_exemptions(document, known_rules, problems),
    )
    problems.raise_any(why=_WHY)
    return contract


def _exemptions(
    document: Mapping[str, Any], known_rules: Collection[str], problems: Problems
) -> tuple[Exemption, ...]:
    found: dict[tuple[str, str], Exemption] = {}
    for number, table in enumerate(tables_of(document, "exempt", problems), start=1):
        where = f"[[exempt]] {number}"
        expect_keys(table, _EXEMPT_KEYS, where, problems)
        exemption = Exemption(
            rule=text_of(table, "rule", where, problems),
            object=text_of(table, "object", where, problems),
            reason=text_of(table, "reason", where, problems),
            until=_day(table, where, problems),
        )
        if exemption.rule and exemption.rule not in known_rules:
            problems.add(
                f"{where} names an unknown rule {exemption.rule!r}"
                f"{closest(exemption.rule, known_rules)}"
            )
        if _WILDCARD.match(exemption.object):
            problems.add(f"{where} has a wildcard in {exemption.object!r}: name one object")
        key = (exemption.rule, exemption.object)
        if all(key) and key in found:
            problems.add(f"{where} repeats the exemption of {key[1]} from {key[0]}")
        found[key] = exemption
    return tuple(found.values())


def _day(table: Mapping[str, Any], where: str, problems: Problems) -> date | None:
    value = table.get("until")
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    problems.add(f"'until' of {where} is {value!r}, not a day like 2027-06-30")
    return None
