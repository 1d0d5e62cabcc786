"""Findings that a team lets stand, one by one: each with its reason, and perhaps a last day."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    read_toml,
    tables_of,
    text_of,
)
from pytest_housekeeping.model import LetStand

WHY = "an exemption that is misread would let something else stand than was meant"
_RULE_KEYS = {"rule": True, "object": True, "reason": True, "until": False}
_BOUNDARY_KEYS = {"contract": True, **_RULE_KEYS, "detail": True}
_CODE_KEYS = {
    "file": True,
    "symbol": True,
    "object": True,
    "reason": True,
    "until": False,
    "rule": False,
}
# What a batch does to code that runs already is let stand by the name of its rule.
RUNNING_RULES = ("running-broken", "running-required", "running-row")
# So is a statement that this schema would refuse: it may be meant for another database.
CODE_BROKEN = "code-broken"
# A star stands for itself inside a quoted name only.
_WILDCARD = re.compile(r'^(?:[^"]|"[^"]*")*?[*%]')


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """One object that need not be as it should, with the reason. ``until`` is the last day."""

    object: str
    reason: str
    until: date | None = None

    def holds_on(self, today: date) -> bool:
        """An exemption holds on its last day."""
        return self.until is None or today <= self.until

    def let_stand(self, rule: str, object: str) -> LetStand:
        """What it lets stand, as the evidence tells it."""
        last = f", until {self.until}" if self.until else ""
        return LetStand(rule=rule, object=object, reason=f"{self.reason}{last}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleExemption(Exemption):
    """An object that one rule need not hold for: ``[[exempt]]`` of ``checks/rls.toml``."""

    rule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundaryExemption(RuleExemption):
    """One finding of one contract: ``[[exempt]]`` of ``boundaries.toml`` with a boundary rule.

    ``detail`` is what the finding says, to the letter: a further privilege, or a further table that
    a view shows, is another finding.
    """

    contract: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeExemption(Exemption):
    """An object that one symbol of one file may name: ``[[exempt]]`` of ``boundaries.toml``.

    With a ``rule`` it is about a statement that the schema refuses, or about code that runs
    already and what a batch does to it.
    """

    file: str
    symbol: str
    rule: str = ""


def rule_exemptions(
    document: Mapping[str, Any], known_rules: Collection[str], problems: Problems
) -> tuple[RuleExemption, ...]:
    """The ``[[exempt]]`` tables of ``checks/rls.toml``; what is wrong is added to ``problems``."""
    found: dict[tuple[str, str], RuleExemption] = {}
    for where, given, until in _exempt_tables(document, _RULE_KEYS, problems):
        exemption = RuleExemption(**given, until=until)
        if exemption.rule.startswith("boundary-"):
            problems.add(f"{where} names {exemption.rule!r}: that belongs into boundaries.toml")
        elif exemption.rule and exemption.rule not in known_rules:
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


def parse_exemptions(
    text: str, *, path: str, rules: Collection[str], contracts: Collection[str]
) -> tuple[tuple[CodeExemption, ...], tuple[BoundaryExemption, ...]]:
    """The ``[[exempt]]`` tables of ``checks/boundaries.toml``: of code, and of boundary ``rules``.

    Raises MisuseError that names every problem of them.
    """
    problems = Problems(path)
    code: list[CodeExemption] = []
    boundary: list[BoundaryExemption] = []
    seen: set[tuple[str, ...]] = set()
    known_rules = (*sorted(rules), CODE_BROKEN, *RUNNING_RULES)
    for number, table in enumerate(tables_of(read_toml(text, problems), "exempt", problems), 1):
        where = f"[[exempt]] {number}"
        keys = _BOUNDARY_KEYS if table.get("rule") in rules else _CODE_KEYS
        given, until = _fields(table, keys, where, problems)
        if keys is _BOUNDARY_KEYS:
            boundary.append(BoundaryExemption(**given, until=until))
            if given["contract"] and given["contract"] not in contracts:
                problems.add(
                    f"{where} belongs to the contract {given['contract']!r}, which is not declared"
                    f"{closest(given['contract'], contracts)}"
                )
        else:
            code.append(CodeExemption(**given, until=until))
            if given["rule"] and given["rule"] not in known_rules:
                problems.add(
                    f"{where} names an unknown rule {given['rule']!r}"
                    f"{closest(given['rule'], known_rules)}"
                )
            for name in ("file", "symbol", "object"):
                if "*" in given[name] or "%" in given[name]:
                    problems.add(f"{where} has a wildcard in {name} {given[name]!r}: name one")
        key = tuple(value for name, value in given.items() if name != "reason")
        if key in seen:
            problems.add(f"{where} repeats the exemption of {given['object']}")
        seen.add(key)
    problems.raise_any(why=WHY)
    return tuple(code), tuple(boundary)


def _exempt_tables(
    document: Mapping[str, Any], keys: Mapping[str, bool], problems: Problems
) -> Iterator[tuple[str, dict[str, str], date | None]]:
    """Each ``[[exempt]]`` table: what a message calls it, its texts, and its last day."""
    for number, table in enumerate(tables_of(document, "exempt", problems), start=1):
        where = f"[[exempt]] {number}"
        yield (where, *_fields(table, keys, where, problems))


def _fields(
    table: Mapping[str, Any], keys: Mapping[str, bool], where: str, problems: Problems
) -> tuple[dict[str, str], date | None]:
    """The texts of a table, and its last day."""
    expect_keys(table, keys, where, problems)
    texts = {key: text_of(table, key, where, problems) for key in keys if key != "until"}
    return texts, _last_day(table, where, problems)


def _last_day(table: Mapping[str, Any], where: str, problems: Problems) -> date | None:
    value = table.get("until")
    # In Python a datetime is a date; in TOML a moment is no day.
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    problems.add(f"'until' of {where} is {value!r}, not a day like 2027-06-30")
    return None
