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

WHY = "an exemption that is misread would let something else stand than was meant"
_RULE_KEYS = {"rule": True, "object": True, "reason": True, "until": False}
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleExemption(Exemption):
    """An object that one rule need not hold for: ``[[exempt]]`` of ``checks/rls.toml``."""

    rule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeExemption(Exemption):
    """An object that one symbol of one file may name: ``[[exempt]]`` of ``boundaries.toml``.

    With a ``rule`` it is about code that runs already, and what a batch does to it.
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


def parse_code_exemptions(text: str, *, path: str) -> tuple[CodeExemption, ...]:
    """The ``[[exempt]]`` tables of ``checks/boundaries.toml``.

    Raises MisuseError that names every problem of them.
    """
    problems = Problems(path)
    document = read_toml(text, problems)
    found: dict[tuple[str, str, str, str], CodeExemption] = {}
    for where, given, until in _exempt_tables(document, _CODE_KEYS, problems):
        exemption = CodeExemption(**given, until=until)
        key = (exemption.file, exemption.symbol, exemption.object, exemption.rule)
        for name, value in zip(("file", "symbol", "object"), key[:3], strict=True):
            if "*" in value or "%" in value:
                problems.add(f"{where} has a wildcard in {name} {value!r}: name one")
        if exemption.rule and exemption.rule not in RUNNING_RULES:
            problems.add(
                f"{where} names an unknown rule {exemption.rule!r}"
                f"{closest(exemption.rule, RUNNING_RULES)}"
            )
        if all(key[:3]) and key in found:
            problems.add(f"{where} repeats the exemption of {key[2]} in {key[0]}")
        found[key] = exemption
    problems.raise_any(why=WHY)
    return tuple(found.values())


def _exempt_tables(
    document: Mapping[str, Any], keys: Mapping[str, bool], problems: Problems
) -> Iterator[tuple[str, dict[str, str], date | None]]:
    """Each ``[[exempt]]`` table: what a message calls it, its texts, and its last day."""
    for number, table in enumerate(tables_of(document, "exempt", problems), start=1):
        where = f"[[exempt]] {number}"
        expect_keys(table, keys, where, problems)
        texts = {key: text_of(table, key, where, problems) for key in keys if key != "until"}
        yield where, texts, _last_day(table, where, problems)


def _last_day(table: Mapping[str, Any], where: str, problems: Problems) -> date | None:
    value = table.get("until")
    # In Python a datetime is a date; in TOML a moment is no day.
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    problems.add(f"'until' of {where} is {value!r}, not a day like 2027-06-30")
    return None
