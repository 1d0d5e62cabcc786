"""The mutation score: plant each classical slip in the user's schema, and see a check turn red.

Why a kill says something about the check: a mutant is one statement in a savepoint that is rolled
back, DDL included (https://www.postgresql.org/docs/16/sql-rollback-to.html). Between the schema
before and the schema that is judged nothing differs but the slip, so an error that was not there
before is caused by it. A survivor shows a slip that no check sees; it is no proof that none could.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

import psycopg

from pytest_housekeeping.checks.mutation.checks import (
    ALL_RULES,
    MutationCheck,
    MutationInput,
    SeenErrors,
    all_checks,
    checks_for,
    errors_of,
)
from pytest_housekeeping.checks.mutation.mutants import Mutant, boundary_mutants, rls_mutants
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back

SURVIVED = "mutation-survived"
SCORE = "mutation-score"
_INSUFFICIENT_PRIVILEGE = "42501"


class _Fate(Enum):
    KILLED = "a check turned red"
    SURVIVED = "none did"
    NOT_PLANTED = "the migrating role may not plant it"


def mutation_score(connection: Connection, given: MutationInput, *, required: float) -> Verdict:
    """Plant every mutant in a savepoint; killed is one at which a new error appears.

    Below ``required``, a share from 0 to 1, the verdict fails; no mutant fails too. Tests under
    ``checks/`` are not run again for each mutant. Raises RuleBroken when a check cannot run on the
    schema as it is.
    """
    mutants = list(_mutants(connection, given.contracts))
    before = {check: errors_of(connection, given, check) for check in all_checks(given)}
    fates = [_fate(connection, given, mutant, before) for mutant in mutants]
    killed, unplanted = fates.count(_Fate.KILLED), fates.count(_Fate.NOT_PLANTED)
    planted = len(mutants) - unplanted
    reached = killed / planted if planted else 0.0
    said = f"{killed} of {planted} mutants killed ({reached:.1%})"
    said += f", {unplanted} could not be planted by this role" if unplanted else ""
    judged = list(zip(mutants, fates, strict=True))
    return Verdict(
        examined=planted,
        unit="mutants",
        findings=(
            *(_survived(mutant) for mutant, fate in judged if fate is _Fate.SURVIVED),
            *(_not_planted(mutant) for mutant, fate in judged if fate is _Fate.NOT_PLANTED),
            *_gate(reached, required, said),
        ),
        evidence=(said,),
    )


def _mutants(connection: Connection, contracts: Contracts) -> Iterator[Mutant]:
    if contracts.rls is not None:
        yield from rls_mutants(connection, contracts.rls)
    if contracts.boundaries is not None:
        yield from boundary_mutants(connection, contracts.boundaries)


def _fate(
    connection: Connection,
    given: MutationInput,
    mutant: Mutant,
    before: Mapping[MutationCheck, SeenErrors],
) -> _Fate:
    with rolled_back(connection):
        try:
            connection.execute(mutant.sql.encode())
        except psycopg.Error as error:
            if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
                raise
            return _Fate.NOT_PLANTED
        # One of the catalog's rules alone is compared with what all of them saw.
        killed = any(
            _turned_red(connection, given, check, before.get(check, before[ALL_RULES]))
            for check in checks_for(mutant, given)
        )
    return _Fate.KILLED if killed else _Fate.SURVIVED


def _turned_red(
    connection: Connection, given: MutationInput, check: MutationCheck, before: SeenErrors
) -> bool:
    """Whether it sees a new error. A check that can no longer run has turned red as well."""
    try:
        return not errors_of(connection, given, check) <= before
    except HousekeepingError:
        return True


def _survived(mutant: Mutant) -> Finding:
    return _finding(
        mutant,
        Level.WARNING,
        "no check turned red",
        fix=f"what would have caught it: {' or '.join(mutant.caught_by)}",
    )


def _not_planted(mutant: Mutant) -> Finding:
    detail = "the migrating role may not plant it, so it is not counted"
    return _finding(mutant, Level.NOTICE, detail)


def _finding(mutant: Mutant, level: Level, detail: str, fix: str = "") -> Finding:
    detail = f"{mutant.slip}: {detail}"
    return Finding(rule=SURVIVED, level=level, object=mutant.object, detail=detail, fix=fix)


def _gate(reached: float, required: float, said: str) -> Iterator[Finding]:
    if reached < required:
        yield Finding(
            rule=SCORE,
            level=Level.ERROR,
            object="mutation_score",
            detail=f"{said}, and mutation_score asks for {required:.1%}",
            fix="add the checks that the survivors name, or lower mutation_score",
        )
