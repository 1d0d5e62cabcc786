"""What the schema decides of a batch, where an earlier plan of this machine has shown just that.

A plan is made again and again of one pull request. Its proofs depend on the schema that the batch
makes of the copy, on what was restored there and what ran there, and on what is asked; where all of
it is the same, to the byte, so is the verdict. A promotion proves everything itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pytest_housekeeping.checks.json_cache import default_folder
from pytest_housekeeping.model import Kind, Phase, Step, Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, this_tool
from pytest_housekeeping.promotion.known_restores import restored_once
from pytest_housekeeping.promotion.production.backup import Backup
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.server import build_facts
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.text import digest, digest_of_facts

_KINDS = (Kind.OBJECT, Kind.RLS, Kind.BOUNDARY)


@dataclass(kw_only=True)
class KnownProofs:
    """The proofs of the last segment, as far as nothing but the schema decides them."""

    context: RunContext
    backup: Backup
    rehearsal: Rehearsal
    _kept: KeptVerdicts | None = None
    _known: Mapping[str, Verdict] = field(default_factory=dict)
    _shown: dict[str, Verdict] = field(default_factory=dict)

    def of(self, step: Step, prove: Callable[[], Verdict]) -> Verdict:
        """The verdict of a step: known, or proved now. The batch is on the copy by then."""
        steps = self._steps
        if step.id not in steps or not self._is_kept_here:
            return prove()
        if self._kept is None:
            self._kept = KeptVerdicts(
                folder=default_folder("proofs"), key=digest_of_facts(self._facts())
            )
            self._known = self._kept.read()
        known = self._known.get(step.id)
        if known is not None:
            return known
        verdict = self._shown[step.id] = prove()
        if self._shown.keys() == steps:
            self._kept.keep(self._shown, at=self.context.run.started_at)
        return verdict

    def restores(
        self, dump: bytes, expected: Fingerprint, prove: Callable[[], BackupProof]
    ) -> BackupProof:
        """That a dump restores to the schema that it is expected to be: known, or proved now."""
        server = self.backup.restore_server
        if server is None or not self._is_kept_here:
            return prove()
        facts = [
            this_tool(),
            build_facts(server.kind, server.major),
            repr(self.context.config.stubs_and_marks),
            self.backup.digests,
            hashlib.sha256(dump).hexdigest(),
            [expected.digest, expected.excluded, expected.superuser],
        ]
        kept = KeptVerdicts(folder=default_folder("proofs"), key=digest_of_facts(facts))
        return restored_once(kept, server.major, prove, at=self.context.run.started_at)

    @property
    def _is_kept_here(self) -> bool:
        """Of a server that was given, nobody here knows the build."""
        server = self.backup.restore_server
        return server is not None and not server.given

    @cached_property
    def _steps(self) -> frozenset[str]:
        plan = self.context.plan
        code = plan.contracts.code_contracts
        return frozenset(
            step.id
            for step in plan.steps
            if step.phase is Phase.REHEARSE
            and step.kind in _KINDS
            and self.context.is_last(step.segment)
            and not (step.kind is Kind.BOUNDARY and step.name in code)
        )

    def _facts(self) -> list[object]:
        """All that they depend on: the tool, the server, what was restored and run, who asks, what
        is asked, and the schemas of before and after as this run has read them."""
        context, rehearsal, server = self.context, self.rehearsal, self.backup.restore_server
        plan, config = context.plan, replace(context.config, root=Path())
        held = plan.sources.held
        return [
            this_tool(),
            build_facts(server.kind, server.major) if server else "",
            asdict(config),
            context.today,
            rehearsal.role,
            self.backup.digests,
            rehearsal.target.twin.schema.digest,
            [(each.number, each.transaction) for each in plan.segments],
            [[(file.path, file.sha256) for file in each.files] for each in plan.segments],
            [(n, c.before.digest, c.after.digest) for n, c in sorted(rehearsal.changes.items())],
            sorted((path, digest(data)) for path, data in held.items() if path.endswith(".toml")),
            [repr(rule) for rule in plan.contracts.rules],
            sorted(plan.contracts.roles),
            sorted(self._steps),
        ]
