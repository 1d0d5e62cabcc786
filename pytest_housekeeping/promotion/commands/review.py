"""``python -m pytest_housekeeping review``: the end of what an emergency has opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.errors import MisuseError, ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.decisions import BRANCH, Deed, decide
from pytest_housekeeping.evidence.git.signing import FIX, SigningFailed, why_unsigned
from pytest_housekeeping.evidence.proof.prove import records_of
from pytest_housekeeping.evidence.proof.reviews import SETTINGS, Review, reviews
from pytest_housekeeping.evidence.signatures import refuse_stranger, require_program
from pytest_housekeeping.promotion.commands.own_repository import own_repository

_WHY = "an emergency goes on record as looked through by a person, and by whom"
_SAY_IT = (
    "in a sentence, behind the id of the run: python -m pytest_housekeeping review RUN 'FOUND'"
)
_NAME_YOURSELF = "git config user.name 'NAME', and git config user.email 'ADDRESS'"


def review(root: Path, run: str, said: str) -> Iterator[str]:
    """Say that somebody has looked through what was promoted in an emergency, and what was found.

    Yields what is told. Raises MisuseError where nothing is to be reviewed, or nothing is said of
    it; EvidenceError where it cannot be committed, or not in the name of one who counts.
    """
    said = " ".join(said.split())
    if not said:
        raise MisuseError("nothing is said of what was found", why=_WHY, fix=_SAY_IT)
    with own_repository(root) as repository:
        due = _due(repository, run)
        signed = due.signers is not None
        if signed:
            require_program()
            if unsigned := why_unsigned(repository):
                raise SigningFailed(unsigned, why=_WHY, fix=FIX)
        elif repository.attempt("config", "--get", "user.email")[0] != 0:
            raise MisuseError("git does not know who you are", why=_WHY, fix=_NAME_YOURSELF)
        folder = due.record.version.folder
        made, pushed = decide(
            repository,
            folder,
            Deed.REVIEW,
            run,
            said=said,
            sign=signed,
            prove=lambda commit: refuse_stranger(
                repository,
                commit,
                due.signers or b"",
                who="who counts",
                why=f"the commit that was promoted names who does ({' or '.join(SETTINGS)})",
            ),
        )
        after = _review_of(repository, run)
        yield f"committed: {made[:12]} on {BRANCH}"
        yield pushed or "not pushed: there is no remote 'origin'"
        if after is None or not after.closed_by:
            why = after.refused.get(made, "") if after else ""
            raise ProofFailed(
                f"the review of run {run} is still open: {why or 'its record is not found again'}",
                why="whoever looks through it has to be somebody who counts",
                fix="let somebody else look through it",
            )
        yield f"the emergency of run {run} was looked through by {after.closed_by}: {said}"


def _due(repository: Repository, run: str) -> Review:
    found = _review_of(repository, run)
    if found is None or found.closed_by:
        raise MisuseError(
            f"run {run} was looked through by {found.closed_by}"
            if found
            else f"there is no emergency of a run {run}",
            why=_WHY,
            fix="python -m pytest_housekeeping audit names what is open",
        )
    return found


def _review_of(repository: Repository, run: str) -> Review | None:
    found = reviews(repository, records_of(repository))
    return next((each for each in found if each.record.run == run), None)
