"""``python -m pytest_housekeeping approve``: a signed record that a promotion may be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.declarations.settings import SETTINGS, load_config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence.decisions import BRANCH, Deed, decide
from pytest_housekeeping.evidence.git.signing import FIX, SigningFailed, why_unsigned
from pytest_housekeeping.evidence.signatures import refuse_stranger, require_program, signer_of
from pytest_housekeeping.plan.binding import refuse_malformed
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.promotion.repository.signers import approvers_of
from pytest_housekeeping.sql.project_files import ProjectFiles


def approve(root: Path, digest: str, *, target: str = PRODUCTION) -> Iterator[str]:
    """Make the record, commit it signed, and push it. Yields what is told.

    Raises MisuseError for what is no digest, where there is no repository, and where the settings
    name no approvers; EvidenceError where it cannot be signed, or not in the name of one of them:
    nothing is committed then.
    """
    refuse_malformed(digest, digest)
    sources = ProjectFiles(root)
    config = load_config(root, sources, target=target)
    approvers = approvers_of(config, sources)
    if approvers is None:
        raise MisuseError(
            f"{SETTINGS} in {root} names no approvers",
            why="an approval counts by whose it is",
            fix="run it in the folder of the project's pyproject.toml; there, approvers ="
            ' "ops/approvers" of [tool.housekeeping] names the file of who may approve',
        )
    with own_repository(root) as repository:
        require_program()
        if unsigned := why_unsigned(repository):
            raise SigningFailed(unsigned, why="an approval counts by whose it is", fix=FIX)
        folder = repository.relative(config.root / config.audit)
        made, pushed = decide(
            repository,
            folder,
            Deed.APPROVAL,
            digest,
            sign=True,
            prove=lambda commit: refuse_stranger(
                repository,
                commit,
                approvers,
                who="who may approve",
                why=f"{config.approvers} names who may, and with which keys",
            ),
        )
        yield f"approved by {signer_of(repository, made, approvers)}: {digest}"
        yield f"committed: {made[:12]} on {BRANCH}"
        yield pushed or "not pushed: there is no remote 'origin'"
