"""Reading without a context where only rows can tell, and there are none: on rows made up.

A condition that calls functions of the project is not folded by the planner. Rows that carry two
identities are inserted in a savepoint (see ``rows.canary``), with what the functions look for
beside them, and a role that acts for nobody must see none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.findings import read_any_row
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.proofs.unset_setting import settings_never_set
from pytest_housekeeping.checks.rls.rows.canary import canaries
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import AttemptResult
from pytest_housekeeping.checks.rules.scope import RuleScope

Pair = tuple[ProtectedTable, RolePrivileges]


def read_made_up_rows(
    ground: ProofGround,
    scope: RuleScope,
    pairs: Sequence[Pair],
    states: Sequence[tuple[str, Settings]],
) -> dict[tuple[str, str], list[tuple[str, AttemptResult]]]:
    """What each role reads of each table in each state, by table and role; tables for which no row
    could be made up are left out. ``states`` are those after the first one, in which no setting has
    ever been set."""
    if not pairs:
        return {}
    chosen = tuple(dict.fromkeys(table for table, _ in pairs))
    connection = ground.connection
    found: dict[tuple[str, str], list[tuple[str, AttemptResult]]] = {}
    context = [name for name, _ in states[0][1]]
    with canaries(ground, chosen) as made_up:
        told = [pair for pair in pairs if pair[0].object not in made_up.reasons]
        with settings_never_set(connection, context, scope):
            answers = [("absent", read_any_row(connection, told, ()))]
        answers += [(state, read_any_row(connection, told, values)) for state, values in states]
        for state, results in answers:
            for (table, privileges), result in zip(told, results, strict=True):
                found.setdefault((table.object, privileges.role), []).append((state, result))
    return found
