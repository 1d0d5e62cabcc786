"""The proof that a result can be restored, kept for later runs of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, moment_of
from pytest_housekeeping.snapshot.copies.proof import BackupProof

_RESTORES = "restores"


@dataclass(frozen=True, kw_only=True)
class KnownRestores:
    """Reads and writes that proof in ``kept``. A proof of this run is dated ``at``; one that rests
    on an earlier proof keeps the earlier date."""

    kept: KeptVerdicts
    server_major: int
    at: datetime

    def read(self) -> BackupProof | None:
        known = self.kept.read().get(_RESTORES)
        if known is None:
            return None
        return BackupProof(
            objects=known.examined,
            server_major=self.server_major,
            limits=known.evidence,
            shown_at=known.shown_at,
        )

    def keep(self, proof: BackupProof) -> BackupProof:
        """Keep the proof, and return it."""
        shown = moment_of(proof.since) if proof.since else self.at
        verdict = Verdict(examined=proof.objects, evidence=proof.limits)
        self.kept.keep({_RESTORES: verdict}, at=shown)
        return proof
