"""Isolation proved by doing: acting for one identity a role never reaches the rows of another.

Why this is sound: for two identities A and B that a role can act for, the rows of B are read past
the policies, and the role then tries on these very rows all that it has a privilege for, acting for
A. PostgreSQL itself decides each statement, in a subtransaction that is rolled back. The control is
that A and B each see a row of their own: a role that reaches nothing at all proves no isolation.
Where the data has no such pair, rows are made up (see ``rows.canary``), and where no row can be,
the planner may prove it (see ``planner.own_rows``). What none of them shows is undecided: an error.
https://www.postgresql.org/docs/16/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_housekeeping.checks.rls.findings import FindingCollector
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.identities import (
    TableIdentities,
    describe,
    find_identities,
)
from pytest_housekeeping.checks.rls.identities.visible_rows import VisibleRows, read_visible_rows
from pytest_housekeeping.checks.rls.planner.condition import policy_condition
from pytest_housekeeping.checks.rls.planner.near_rows import find_near_rows
from pytest_housekeeping.checks.rls.planner.own_rows import prove_own_rows
from pytest_housekeeping.checks.rls.planner.own_rows_policy import own_rows_policy
from pytest_housekeeping.checks.rls.proofs.alike_pairs import told_of
from pytest_housekeeping.checks.rls.proofs.copy_out import judge_copies
from pytest_housekeeping.checks.rls.proofs.isolation_alike import find_alike
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import (
    NOT_OWNER,
    IdentityPair,
    Unproved,
    both_ways,
    furthest_apart,
    unproved_of,
    what_to_grant,
    why_no_pair,
)
from pytest_housekeeping.checks.rls.proofs.isolation_run import IsolationResult, try_isolation
from pytest_housekeeping.checks.rls.proofs.joining import find_joining
from pytest_housekeeping.checks.rls.proofs.not_tried import (
    tell_what_is_public,
    try_without_privilege,
)
from pytest_housekeeping.checks.rls.proofs.other_settings import where_in_json
from pytest_housekeeping.checks.rls.proofs.own_changes import judge_own_changes
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rls.rows.canary import Canaries, canaries
from pytest_housekeeping.checks.rls.rows.made_up_identities import make_up_identities
from pytest_housekeeping.checks.rls.tables import (
    ProtectedTable,
    RolePrivileges,
    read_locked_tables,
)
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection

_FIX_UNDECIDED = "-- seed rows for two identities, as the application would write them"


def prove_isolation(connection: Connection, request: ProofRequest) -> Verdict:
    """Acting for one identity, a role never sees, changes, deletes, writes or takes over what
    belongs to another, and does see its own.

    A table for which that control is missing is undecided, which is an error. Raises RuleBroken
    when a role cannot be acted as.
    """
    ground = request.ground(connection)
    tables = request.chosen(ground.known)
    proof = _IsolationProof(ground=ground, collector=request.collector())
    try_without_privilege(connection, proof.collector, tables)
    tell_what_is_public(proof.collector, tables)
    # Data and made-up rows are read past the policies, which locks a table where they are forced.
    if request.scope.avoid_locks:
        left = proof.try_planner_where_not_locked(unproved_of(tables))
        proof.collect_undecided(proof.try_made_up_rows(left, data_too=True))
    else:
        alike = find_alike(ground, tables)
        # No policy or key leads to the others, and for whom one acts the first ones say as well.
        without = [table for table in ground.known if table not in alike.apart]
        firsts = replace(proof, ground=replace(ground, known=without))
        firsts.try_rows([table for table in tables if table not in alike.firsts])
        others = alike.firsts.items()
        proof.try_rows([table for table, first in others if not proof.shown(table, first)])
    proof.try_joining(tables)
    return proof.collector.verdict(tables)


@dataclass(frozen=True, kw_only=True)
class _IsolationProof:
    """The ways to prove isolation. Each takes what is unproved, collects what it finds, and returns
    what is still unproved. ``by_policies`` says of a table and a role whether all was in vain, and
    nothing but policies has seen to that."""

    ground: ProofGround
    collector: FindingCollector
    by_policies: dict[tuple[str, str], bool] = field(default_factory=dict)

    def try_rows(self, tables: Sequence[ProtectedTable]) -> None:
        """With the data, and with rows made up where that does not show it."""
        left = self.try_made_up_rows(self.try_data(unproved_of(tables)), data_too=False)
        self.collect_undecided(left)

    def shown(self, table: ProtectedTable, first: ProtectedTable) -> bool:
        """Whether the policies of the first of two tables that are alike have refused all, which
        shows it of the other."""
        roles = [each.privileges.role for each in unproved_of([table])]
        decided = all(self.by_policies.get((first.object, role), False) for role in roles)
        if not decided or any(each.object == first.object for each in self.collector.findings):
            return False
        for role in roles:
            self.collector.add_evidence(table, role, told_of(first))
        return True

    def try_planner_where_not_locked(self, asked: Sequence[Unproved]) -> list[Unproved]:
        """The planner's proof needs no lock, so other sessions may be at work on these tables."""
        locked = read_locked_tables(self.ground.connection)
        free = [each for each in asked if each.table.object not in locked]
        chosen = tuple(dict.fromkeys(each.table for each in free))
        if not chosen:
            return list(asked)
        made_up = make_up_identities(self.ground, chosen)
        proved = self._proved_by_planner(free, made_up.by_table)
        return [each for each in asked if each not in proved]

    def try_data(self, asked: Sequence[Unproved]) -> list[Unproved]:
        """With the identities and rows that the tables hold."""
        if not asked:
            return []
        return self._try(asked, find_identities(self.ground), None)

    def try_made_up_rows(self, asked: Sequence[Unproved], *, data_too: bool) -> list[Unproved]:
        """With rows made up for two identities, then with the data if asked to, and at last by the
        planner with the made-up identities."""
        if not asked:
            return []
        chosen = tuple(dict.fromkeys(each.table for each in asked))
        with canaries(self.ground, chosen) as made_up:
            left = self._try(asked, made_up.identities, made_up)
        if data_too:
            left = self.try_data(left)
        proved = self._proved_by_planner(left, made_up.identities)
        return [
            replace(each, no_row=made_up.reasons.get(each.table.object, ""))
            for each in left
            if each not in proved
        ]

    def try_joining(self, tables: Sequence[ProtectedTable]) -> None:
        """With rows of the tables by which others tell who may see what."""
        for table, role, text in find_joining(self.ground, tables):
            self.collector.add_leak(table, role, text)

    def collect_undecided(self, left: Sequence[Unproved]) -> None:
        for each in left:
            reason = f"{each.privileges.role}: {each.reason}"
            reason += f"; no row was made up: {each.no_row}" if each.no_row else ""
            where = where_in_json(self.ground.functions, self.ground.context, each.table)
            self.collector.add_undecided(each.table, reason, where or _FIX_UNDECIDED)

    def _proved_by_planner(
        self, asked: Sequence[Unproved], identities: Mapping[str, TableIdentities]
    ) -> set[Unproved]:
        proofs = prove_own_rows(
            self.ground,
            [(each.table, each.privileges, identities[each.table.object]) for each in asked],
        )
        proved = {each: proof for each, proof in zip(asked, proofs, strict=True) if proof}
        for each, proof in proved.items():
            self.collector.add_evidence(each.table, each.privileges.role, proof)
        return set(proved)

    def _try(
        self,
        asked: Sequence[Unproved],
        identities: Mapping[str, TableIdentities],
        made_up: Canaries | None,
    ) -> list[Unproved]:
        """Try two identities against each other for each role; what has no two is returned."""
        connection, context = self.ground.connection, self.ground.context
        candidates = [
            VisibleRows(table=each.table, privileges=each.privileges, identity=identity)
            for each in asked
            # Without the owner's rights, only rows that were made up are known.
            if each.table.owned or made_up
            for identity in identities[each.table.object].candidates
        ]
        rows_by_identity: dict[tuple[str, str], list[VisibleRows]] = {}
        for visible in read_visible_rows(connection, context, candidates):
            key = (visible.table.object, visible.privileges.role)
            rows_by_identity.setdefault(key, []).append(visible)
        pairs: list[IdentityPair] = []
        left: list[Unproved] = []
        for each in asked:
            visible_rows = rows_by_identity.get((each.table.object, each.privileges.role), [])
            chosen = self._choose(each, identities[each.table.object], visible_rows, made_up)
            if isinstance(chosen, str):
                left.append(replace(each, reason=each.reason or chosen))
            else:
                pairs += chosen
        results = try_isolation(connection, context, pairs)
        for pair, result in zip(pairs, results, strict=True):
            self._judge(pair, result, "rows made up: " if made_up else "")
        judge_copies(connection, context, self.collector, pairs)
        judge_own_changes(self.ground, self.collector, identities, pairs)
        reached = self._judge_near_rows(
            [(each.table, each.privileges, identities[each.table.object]) for each in asked]
        )
        return [each for each in left if (each.table, each.privileges) not in reached]

    def _choose(
        self,
        asked: Unproved,
        identities: TableIdentities,
        rows_by_identity: Sequence[VisibleRows],
        made_up: Canaries | None,
    ) -> tuple[IdentityPair, ...] | str:
        """Two identities, each against the other, or why there are none; no pair where no policy
        lets the role do anything."""
        table, privileges = asked.table, asked.privileges
        if not table.owned and not made_up:
            return NOT_OWNER
        seeing = [each for each in rows_by_identity if each.rows]
        two = furthest_apart(seeing, identities.constants)
        if two is None and not seeing and not privileges.read_policy and table.row_security:
            # Without a policy for SELECT it may still write: any two identities will do.
            two = (
                furthest_apart(rows_by_identity, identities.constants)
                if identities.identity_columns
                else None
            )
            closed = all(
                policy_condition(table, privileges, command) is None
                for command in privileges.commands
            )
            if two is not None or closed:
                self.collector.add_evidence(
                    table, privileges.role, "no policy lets it read, and it sees no row"
                )
            if two is None and closed:
                return ()
        if two is None:
            return why_no_pair(identities, rows_by_identity)
        return both_ways(table, privileges, identities, two)

    def _judge(self, pair: IdentityPair, result: IsolationResult, source: str) -> None:
        me = describe(pair.me.identity)
        place = _, role = pair.table.object, pair.privileges.role
        self.by_policies[place] = self.by_policies.get(place, True) and result.by_policies
        columns = dict(pair.identities.identity_columns)
        fix = own_rows_policy(pair.table, pair.privileges, columns) if columns else ""
        for leak in result.leaks:
            self.collector.add_leak(pair.table, role, f"{role} acting for {me} {leak}", fix)
        for reason in result.undecided:
            fix = what_to_grant(pair) if "42501" in reason else _FIX_UNDECIDED
            self.collector.add_undecided(pair.table, f"{role} acting for {me}: {reason}", fix)
        if not result.leaks and not result.undecided:
            self.collector.add_evidence(
                pair.table, role, f"{source}{me}: {', '.join(result.shown)}"
            )

    def _judge_near_rows(
        self, asked: Sequence[tuple[ProtectedTable, RolePrivileges, TableIdentities]]
    ) -> set[tuple[ProtectedTable, RolePrivileges]]:
        """Also where nobody sees a row of its own: what passes is reached all the same. Returns
        where there is any."""
        found = find_near_rows(self.ground, asked)
        for (table, privileges, _), rows in zip(asked, found, strict=True):
            for row in rows:
                text = f"{privileges.role} acting for {describe(row.identity)} {row.does}"
                self.collector.add_leak(table, privileges.role, text, row.fix)
        return {
            (table, privileges)
            for (table, privileges, _), rows in zip(asked, found, strict=True)
            if rows
        }
