"""Who may sign evidence, as the file that ``evidence_signers`` names was read for the plan."""

from __future__ import annotations

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.project_files import ProjectFiles


def signers_of(config: Config, sources: ProjectFiles) -> bytes | None:
    """The content of the file, None where the settings name none.

    Raises MisuseError for one that cannot be read, or that names nobody.
    """
    path = config.evidence_signers
    if not path:
        return None
    try:
        data = sources.read(path)
    except OSError as error:
        raise MisuseError(
            f"evidence_signers = {path!r} cannot be read: {error.strerror}",
            why="whose evidence production takes stands in it",
            fix="commit it, with a line for each signer: <name> ssh-ed25519 <key>, the latter two"
            " as they stand in the signer's .pub file; or take evidence_signers out",
        ) from None
    from pytest_housekeeping.evidence.signatures import refuse_unusable_signers

    refuse_unusable_signers(data, path)
    return data
