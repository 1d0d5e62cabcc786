"""What the schema decides of a batch, where an earlier plan of this machine has shown just that.

A plan is made again and again of one pull request. Its proofs depend on the schema that the batch
makes of the copy, on what was restored there and what ran there, and on what is asked; where all of
it is the same, to the byte, so is the verdict. A promotion proves everything itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from pytest_housekeeping.model import Phase
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import (
    batch_facts,
    facts_of_machine,
    kept_verdicts,
)
from pytest_housekeeping.promotion.known_checks import KnownChecks
from pytest_housekeeping.promotion.known_restores import KnownRestores
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump


@dataclass(frozen=True, kw_only=True)
class KnownProofs:
    """The proofs of the last segment, as far as nothing but the schema decides them."""

    context: RunContext
    backup: Backup
    rehearsal: Rehearsal

    @cached_property
    def checks(self) -> KnownChecks:
        """The checks on the copy; the batch is on it by then."""
        return KnownChecks(context=self.context, phase=Phase.REHEARSE, facts=self._facts)

    def restores(self) -> KnownRestores | None:
        """That the result can be dumped and restored: of the same copy, batch and schemas the same
        pg_dump writes the same. None where nothing is kept."""
        facts, major = self._facts(), self.rehearsal.target.twin.schema.server_major
        if facts is None:
            return None
        dumped_by = [str(program := find_pg_dump(major)), program.stat().st_mtime_ns]
        return KnownRestores(
            kept=kept_verdicts(self.context, "proofs", [*facts, "restores", dumped_by]),
            server_major=major,
            at=self.context.run.started_at,
        )

    @property
    def _is_kept_here(self) -> bool:
        """Of a server that was given, nobody here knows the build."""
        server = self.backup.restore_server
        return server is not None and not server.given

    def _facts(self) -> list[object] | None:
        """The tool, the server, what was restored and run, who asks, and the schemas of before and
        after as this run has read them."""
        context, rehearsal, server = self.context, self.rehearsal, self.backup.restore_server
        if server is None or not self._is_kept_here:
            return None
        return [
            *facts_of_machine(server.kind, server.major),
            asdict(replace(context.config, root=Path())),
            rehearsal.role,
            self.backup.digests,
            rehearsal.target.twin.schema.digest,
            *batch_facts(context.plan),
            [(n, c.before.digest, c.after.digest) for n, c in sorted(rehearsal.changes.items())],
        ]
