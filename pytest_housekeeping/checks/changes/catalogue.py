"""Every rule on what a batch changes, by family."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_housekeeping.checks.changes import (
    clients,
    data,
    indexes,
    names,
    replication,
    rewrites,
    validations,
    work,
)
from pytest_housekeeping.checks.changes.rule import ChangeRule

FAMILIES: Mapping[str, tuple[ChangeRule, ...]] = {
    "Tables that are rewritten": rewrites.RULES,
    "Tables that are read while others wait": validations.RULES,
    "Indexes": indexes.RULES,
    "Work under a lock": work.RULES,
    "Data that are gone": data.RULES,
    "What running clients rely on": (*names.RULES, *clients.RULES),
    "Replication": replication.RULES,
}
CHANGE_RULES: tuple[ChangeRule, ...] = tuple(r for rules in FAMILIES.values() for r in rules)
