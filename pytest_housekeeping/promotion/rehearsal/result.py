"""What the batch has made of the copy: told object by object, and dumped and restored."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.snapshot.compare.difference import diff, listed
from pytest_housekeeping.snapshot.copies.proof import BackupProof

_SHOWN = 20


def rehearsed_result(
    context: RunContext, rehearsal: Rehearsal, checks: Checks, segment: int
) -> Judgement:
    """What a segment has changed on the copy; of the last one, that the result restores as well.

    Raises BackupNotProved, naming the object that does not restore.
    """
    last = context.is_last(segment)
    with rehearsal.judging(segment) as connection:
        unjudged = checks.unjudged(connection) if last else ()
    change = rehearsal.changes[segment]
    rehearsal.foresee(segment)
    said = list(_changes(rehearsal, segment))
    if last:
        proof = rehearsal.prove_restores(segment)
        said.append(_restored(proof))
        said += [f"limit of the proof: {limit}" for limit in proof.limits]
    examined = max(1, len(change.after.entries))
    return Verdict(examined=examined, unit="objects", findings=unjudged), "; ".join(said)


def _restored(proof: BackupProof) -> str:
    if proof.shown_at:
        return f"the result of this batch was dumped and restored at {proof.shown_at}"
    if proof.restored is None:
        return "the result was dumped and restored, with the same fingerprint"
    return (
        f"the result was dumped, and of its {proof.objects} objects the {proof.restored} that the"
        " batch concerns were restored, with the same fingerprint; the others have the text that"
        " was restored before"
    )


def _changes(rehearsal: Rehearsal, segment: int) -> Iterator[str]:
    change = rehearsal.changes[segment]
    differences = diff(change.before, change.after)
    yield f"{len(differences)} objects changed" + f": {listed(differences, _SHOWN)}" * bool(
        differences
    )
    facts = rehearsal.facts[segment]
    if facts.rewritten:
        yield f"rewritten, with all rows: {', '.join(facts.rewritten)}"
    if facts.destroyed:
        gone = (f"{each.kind} {each.object} ({each.how})" for each in facts.destroyed)
        yield f"data destroyed: {', '.join(gone)}"
