"""Who may sign evidence, and who may approve: as the files that name them were read once."""

from __future__ import annotations

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.project_files import ProjectFiles


def signers_of(config: Config, sources: ProjectFiles) -> bytes | None:
    """The content of the file of who may sign evidence, None where the settings name none.

    Raises MisuseError for one that cannot be read, or that names nobody.
    """
    why = "whose evidence production takes stands in it"
    return _named_by("evidence_signers", config.evidence_signers, sources, why)


def approvers_of(config: Config, sources: ProjectFiles) -> bytes | None:
    """The same of who may approve a promotion.

    Raises MisuseError as well for a line that is of no certain person, and where fewer people stand
    in it than have to approve.
    """
    data = _named_by("approvers", config.approvers, sources, "who may approve stands in it")
    if data is None:
        return data
    from pytest_housekeeping.evidence.signatures import persons_in, unclear_lines

    if unclear := unclear_lines(data):
        lines = ", ".join(map(str, unclear))
        raise MisuseError(
            f"approvers = {config.approvers!r}: line {lines} names no person",
            why="who wrote or runs a promotion could not be told from who approves it",
            fix="write a line for each person, without *, ? and !, and with a key of his own",
        )
    found = len(persons_in(data))
    if found < config.approvals:
        raise MisuseError(
            f"approvals = {config.approvals}, and approvers = {config.approvers!r} names {found}",
            why="each approval is another person's, so that nothing could ever be promoted",
            fix="name more of them, or write approvals = 0 where the team is too small: the audit"
            " says then that nobody else has looked",
        )
    return data


def _named_by(setting: str, path: str, sources: ProjectFiles, why: str) -> bytes | None:
    if not path:
        return None
    try:
        data = sources.read(path)
    except OSError as error:
        raise MisuseError(
            f"{setting} = {path!r} cannot be read: {error.strerror}",
            why=why,
            fix="commit it, with a line for each: <name> ssh-ed25519 <key>, the latter two"
            f" as they stand in the signer's .pub file; or take {setting} out",
        ) from None
    from pytest_housekeeping.evidence.signatures import refuse_unusable_signers

    refuse_unusable_signers(data, path, setting=setting)
    return data
