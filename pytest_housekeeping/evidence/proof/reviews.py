"""Promotions that were made in an emergency, until a person has looked through each of them.

That a review is due says the audit of the run itself, so that it cannot be lost without the audit
being missed. It ends with a record of who has looked. Where the commit that was promoted names
approvers, or who may sign evidence, one of those has to have signed it: whoever ran the promotion
does not count, unless nobody else stands there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.decisions import Decision, Deed, decisions
from pytest_housekeeping.evidence.git.objects import FETCH, GitCommands
from pytest_housekeeping.evidence.proof.signatures import demanded_at
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.signatures import persons_in, require_program, signature_of
from pytest_housekeeping.model import Finding, Level

RULE = "emergency-open"
SETTINGS = ("approvers", "evidence_signers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """One that is due: of which audit, by whom it has to be signed (None: by nobody), and of each
    record that does not end it, by its commit, why not. ``closed_by`` is who has ended it, "" while
    it is open."""

    record: Record
    signers: bytes | None
    closed_by: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


def reviews(git: GitCommands, records: Sequence[Record]) -> Iterator[Review]:
    """Every review that an emergency has opened, in the order of the audits.

    Raises EvidenceError where signatures cannot be proved at all.
    """
    opened = {each.run: each for each in records if each.emergency and not each.fault}
    if not opened:
        return
    grounds = {ground for each in opened.values() for ground in _grounds(git, each)}
    demanded = demanded_at(git, grounds, SETTINGS)
    made: dict[str, list[Decision]] = defaultdict(list)
    for folder in {each.version.folder for each in opened.values()}:
        for decision in decisions(git, folder, Deed.REVIEW):
            made[decision.subject].append(decision)
    for record in opened.values():
        known = (demanded[each] for each in _grounds(git, record) if each in demanded)
        # What nobody knows is asked for: an empty file names nobody.
        signers = next(known, b"")
        judged = [
            (decision, *_judged(git, decision, record, signers)) for decision in made[record.run]
        ]
        yield Review(
            record=record,
            signers=signers,
            closed_by=next((who for _, who, why in judged if not why), ""),
            refused={each.commit: f"{each.path}: {why}" for each, _, why in judged if why},
        )


def review_findings(git: GitCommands, records: Sequence[Record]) -> Iterator[Finding]:
    """An error for each that is open."""
    for review in reviews(git, records):
        if not review.closed_by:
            record = review.record
            refused = "".join(f"; does not end it: {each}" for each in review.refused.values())
            yield Finding(
                rule=RULE,
                level=Level.ERROR,
                object=f"run {record.run}",
                detail=f"was made in an emergency ({record.emergency}), and nobody has looked"
                f" through it since{refused}",
                fix=f"look through it, and say what was found: python -m pytest_housekeeping review"
                f" {record.run} '…'; where that was done in another clone, fetch it: {FETCH}",
            )


def _grounds(git: GitCommands, record: Record) -> Iterator[tuple[str, str]]:
    """The commit that was promoted; where it is gone, as after a squash, the one checked out."""
    for commit in (record.commit, git.commit("HEAD") or ""):
        yield commit, record.version.folder


def _judged(
    git: GitCommands, decision: Decision, record: Record, signers: bytes | None
) -> tuple[str, str]:
    """Who has made a record, and why it does not count."""
    if decision.fault:
        return "", decision.fault
    if f"{decision.at:%Y-%m-%dT%H:%M:%S}" < record.finished_at:
        return "", "it is from before the promotion ended"
    if signers is None:
        return decision.author, ""
    require_program()
    try:
        signer = signature_of(git, decision.commit, signers)
    except EvidenceError as error:
        return "", error.found
    names = {name.casefold() for name in signer.names}
    names |= {name.partition("@")[0] for name in names}
    if record.actor.casefold() in names and len(persons_in(signers)) > 1:
        return "", f"{signer.name} has run it"
    return signer.name, ""
