"""Plant a rule's defect on a ground of its own, see the rule fire on it, and be quiet before.

Why it shows that the rule works here: it is judged by the same function, with the same query and on
the same server as in the verification, once without the defect and once with it, and nothing else
differs. It stands in an empty database of that server (``tripwire_ground``), so that it costs the
same in every schema; that PostgreSQL's own functions are the same in both is looked at beforehand
(``builtins``). Nothing is committed: a rollback undoes DDL as well
(https://www.postgresql.org/docs/16/sql-rollback.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg

from pytest_housekeeping.checks.boundaries.verdict import judge_boundary
from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rules.scope import boundary_scope
from pytest_housekeeping.checks.tripwire_ground import (
    GuardedBoundary,
    NotPlanted,
    TripwireGround,
    ground_for,
)
from pytest_housekeeping.declarations.rules import Rule, fill
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

TRIPWIRE = "tripwire"

_WORD = re.compile(r"\w+")
_FIX = "a rule that does not fire guards nothing: correct its query or its tripwire"


def trip_rule(superuser: Connection, rule: Rule) -> Verdict:
    """Prove on this server that the rule would fire.

    ``superuser`` is an autocommit connection to an empty database of it; all of it is rolled back.
    Raises RuleBroken when the rule cannot run.
    """
    ground: TripwireGround | None = None
    quiet: Verdict | None = None
    superuser.execute("BEGIN")
    try:
        ground = ground_for(rule, superuser.info.dbname)
        plant(superuser, ground.sql)
        if stands_without(ground, rule):
            quiet = judge(superuser, ground, rule)
        plant(superuser, defect(ground, rule))
        fired = judge(superuser, ground, rule)
    except NotPlanted as reason:
        return _failed(rule, str(reason))
    finally:
        superuser.execute("ROLLBACK")
    planted = fill(rule.tripwire.object, ground.values)
    if not any(finding.object == planted for finding in fired.findings):
        return _failed(rule, f"the rule did not fire on {planted}", seen=fired)
    known = quiet.findings if quiet else ()
    if any(finding in known for finding in fired.findings if finding.object == planted):
        return _failed(rule, f"the rule fires on {planted} without the defect as well", seen=quiet)
    return has_fired(planted)


def has_fired(planted: str) -> Verdict:
    """What is said of a tripwire that works."""
    return Verdict(
        examined=1, unit="tripwires", evidence=(f"it fired on {planted}, and was quiet without it",)
    )


def refused(rule: Rule, replaced: Sequence[str]) -> Verdict:
    """Why a tripwire shows nothing where these are ``replaced``, PostgreSQL's own objects that the
    database of the run has in another form."""
    named = ", ".join(replaced)
    return _failed(
        rule,
        f"the rules were not written for a database in which {named} is not PostgreSQL's own",
        fix=f"give {named} the definition back that the server came with",
    )


def plant(connection: Connection, text: str) -> None:
    """Run statements. Raises NotPlanted."""
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        words = error.diag.message_primary or str(error).strip()
        reason = f"the defect could not be planted: {error.sqlstate} {words}"
        raise NotPlanted(reason) from None


def defect(ground: TripwireGround, rule: Rule) -> str:
    """What plants the rule's defect: as the superuser what nobody else can, the rest as the
    migrating role of the ground."""
    tripwire = rule.tripwire
    before = f"SET LOCAL ROLE NONE;\n{tripwire.superuser}\n;SET LOCAL ROLE {{migrator}};\n"
    return fill((before if tripwire.superuser else "") + tripwire.sql, ground.values)


def judge(connection: Connection, ground: TripwireGround, rule: Rule) -> Verdict:
    """The rule's verdict on the ground, as it stands."""
    guarded = ground.guarded
    if isinstance(guarded, GuardedBoundary):
        boundaries, contract = guarded.boundaries, guarded.contract
        scope = boundary_scope(boundaries, contract)
        return judge_boundary(connection, scope, boundaries.source(contract).roles, rule)
    return judge_rule(connection, guarded, rule)


def stands_without(ground: TripwireGround, rule: Rule) -> bool:
    """Whether the object may be there without the defect. Of one whose name stands nowhere but in
    the defect nobody can complain before."""
    known = frozenset(_WORD.findall(" ".join((ground.sql, *ground.values.values()))))
    named = _WORD.findall(fill(rule.tripwire.object, ground.values))
    return all(word in known or word.isupper() for word in named)


def _failed(rule: Rule, reason: str, *, seen: Verdict | None = None, fix: str = _FIX) -> Verdict:
    objects = sorted({finding.object for finding in seen.findings}) if seen else []
    finding = Finding(
        rule=TRIPWIRE,
        level=Level.ERROR,
        object=rule.id,
        detail=reason + (f"; it found: {', '.join(objects)}" if objects else ""),
        fix=fix,
    )
    return Verdict(examined=1, unit="tripwires", findings=(finding,))
