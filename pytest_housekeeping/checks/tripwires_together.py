"""Tripwires that are planted side by side, and judged in one query as rules are on a schema.

Each has a schema and a role of its own. Chosen are rules whose defect keeps to these two, and whose
object stands in that schema: what another rule's defect does reaches neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_housekeeping.checks.rls import evaluate_rules
from pytest_housekeeping.checks.tripwire_ground import NotPlanted, TripwireGround, ground_for
from pytest_housekeeping.checks.tripwires import defect, has_fired, plant, stands_without
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import (
    BOUNDARY,
    Rule,
    fill,
    placeholders,
    shipped_rules,
)
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection

_OWN = frozenset({"schema", "role", "setting", "table"})
# These words of a defect reach beyond the schema, or what is made later.
_BEYOND = ("DATABASE", "DEFAULT PRIVILEGES", "ROLE", "SET ")


def trip_together(superuser: Connection, rules: Sequence[Rule]) -> Mapping[str, Verdict]:
    """The verdicts of the rules that fire so, by their ids; all of it is rolled back.

    A rule that is not among them is to be tried by itself (``trip_rule``), which says what it
    lacks. ``superuser`` is an autocommit connection to an empty database.
    """
    chosen = [rule for rule in rules if _keeps_to_itself(rule)]
    if not chosen:
        return {}
    superuser.execute("BEGIN")
    try:
        grounds = _planted(superuser, chosen)
        found = evaluate_rules(superuser, _together(grounds), [rule for rule, _ in grounds])
    except NotPlanted:
        return {}
    finally:
        superuser.execute("ROLLBACK")
    fired = {}
    for rule, ground in grounds:
        planted = fill(rule.tripwire.object, ground.values)
        rows = found[rule.id].rows if rule.id in found else ()
        if any(row.get("object") == planted for row in rows):
            fired[rule.id] = has_fired(planted)
    return fired


def _planted(superuser: Connection, rules: Sequence[Rule]) -> list[tuple[Rule, TripwireGround]]:
    """The rules with their grounds, laid and with the defect in them: one round trip."""
    grounds: list[tuple[Rule, TripwireGround]] = []
    migrator = ""
    for rule in rules:
        ground = ground_for(rule, superuser.info.dbname, migrator=migrator)
        # Whoever may complain before the defect is there has to be asked before.
        if not stands_without(ground, rule):
            grounds.append((rule, ground))
            migrator = ground.values["migrator"]
    plant(superuser, "\n".join(f"{g.sql}\n{defect(g, rule)}\n;" for rule, g in grounds))
    return grounds


def _together(grounds: Sequence[tuple[Rule, TripwireGround]]) -> RlsContract:
    """All that the grounds declare, as one declaration."""
    each = [ground.guarded for _, ground in grounds if isinstance(ground.guarded, RlsContract)]
    return RlsContract(
        schemas=tuple(name for one in each for name in one.schemas),
        roles=tuple(name for one in each for name in one.roles),
        context=tuple(name for one in each for name in one.context),
        policies=tuple(policy for one in each for policy in one.policies),
    )


def _keeps_to_itself(rule: Rule) -> bool:
    """Whether the rule is one of this package that reads the catalog alone, and its defect one that
    nothing but its own schema and role knows of. What others write in theirs nobody has looked at.
    """
    tripwire = rule.tripwire
    return (
        rule in shipped_rules()
        and rule.family != BOUNDARY
        and not (rule.proof or tripwire.superuser)
        and "{schema}" in tripwire.object
        and placeholders(f"{tripwire.sql} {tripwire.object}") <= _OWN
        and not any(word in tripwire.sql for word in _BEYOND)
    )
