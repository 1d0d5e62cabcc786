"""That a dump restores, where an earlier run of this machine has shown it of that very dump."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, moment_of
from pytest_housekeeping.snapshot.copies.proof import BackupProof

_RESTORES = "restores"


def restored_once(
    kept: KeptVerdicts, server_major: int, prove: Callable[[], BackupProof], *, at: datetime
) -> BackupProof:
    """The proof that is ``kept``, or is made now and kept as of that moment; one that rests on an
    earlier one, as of that."""
    known = kept.read().get(_RESTORES)
    if known is not None:
        return BackupProof(
            objects=known.examined,
            server_major=server_major,
            limits=known.evidence,
            shown_at=known.shown_at,
        )
    proof = prove()
    shown = moment_of(proof.since) if proof.since else at
    kept.keep({_RESTORES: Verdict(examined=proof.objects, evidence=proof.limits)}, at=shown)
    return proof
