"""The schema that a run has kept, as its audit attests it: on disk or in git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Artifact


def kept_schema(
    config: Config, repository: Repository, kept: Artifact
) -> tuple[bytes, bytes | None]:
    """The schema snapshot that an audit names, and the roles that were kept beside it.

    Raises EvidenceError for one that is not here, and for one that was edited: it is not what the
    audit attests, on disk or in git.
    """
    folder, _, name = kept.path.rpartition("/")
    roles = f"{folder}/{name.replace('_schema_', '_roles_')}"
    schema = _unedited(config, repository, kept.path, kept.sha256)
    try:
        return schema, _unedited(config, repository, roles, "")
    except FileNotFoundError:
        return schema, None


def _unedited(config: Config, repository: Repository, path: str, sha256: str) -> bytes:
    """A kept file as it was kept: with this digest, or, where none is known, as git has it."""
    place = config.root / path
    committed = repository.kept(repository.relative(place))
    here = [place.read_bytes()] if place.is_file() else []
    if not here and not committed:
        if not sha256:
            raise FileNotFoundError(path)
        raise EvidenceError(
            f"{path} is not here: a schema that an audit names",
            why="without it nobody could say in what the schema is another one",
            fix=fetch_fix(repository),
        )
    good = [data for data in (*here, *committed) if digest(data) == sha256]
    whole = good if sha256 else list(committed) or here
    if not whole or (here and here[0] not in whole):
        raise EvidenceError(
            f"{path} was edited: it is not what was kept",
            why="the schema would be compared with something that never was",
            fix=f"git checkout -- {path}, or take it from the branch of that promotion's audit",
        )
    return whole[0]
