"""What production has of the project's files, as the tool that applied them remembers it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.baseline import Baseline
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.tool_history.checksums import checksum_of
from pytest_housekeeping.postgres.tool_history.match import Comparison, applied_paths
from pytest_housekeeping.postgres.tool_history.readers import (
    has_reader,
    read_their_history,
    their_own,
)
from pytest_housekeeping.postgres.tool_history.table import TheirHistory
from pytest_housekeeping.promotion.production.other_tool.elsewhere import elsewhere
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import unquoted
from pytest_housekeeping.sql.layouts.diesel import are_hasuras
from pytest_housekeeping.sql.layouts.known import layout_of
from pytest_housekeeping.sql.layouts.layout import Listing
from pytest_housekeeping.sql.layouts.read import as_recorded, listing, text_of
from pytest_housekeeping.sql.parser import ParseError
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.repeatable import makes

AUTO = "auto"
_POLICY = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_policy AS p
    WHERE p.polrelid = pg_catalog.to_regclass(%s) AND p.polname = %s
)
"""


def baseline_of(
    config: Config, sources: ProjectFiles, connection: Connection, version: str | None
) -> Baseline | None:
    """What ``--hk-baseline`` asks to be recorded; None without it.

    Raises MisuseError for a history that another tool has left and that is not that of the files:
    each row and each file that does not fit, by name.
    """
    if version is None:
        return None
    recorded = _recorded(config, sources, connection) if version == AUTO else None
    return Baseline(version=version, recorded=recorded, lacks=_lacks(config, sources, connection))


def compared(
    config: Config, sources: ProjectFiles, history: TheirHistory, listed: Listing
) -> Comparison:
    """The tool's history, and the files that it may tell of."""
    views = [entry for entry in listed.of(Kind.VIEW) if entry.of_tool]
    return Comparison(
        history=history,
        migrations=as_recorded(config, sources, listed.of(Kind.MIGRATION)),
        repeatable=as_recorded(config, sources, views),
        checksum=lambda entry: checksum_of(config, sources, entry),
        elsewhere=partial(elsewhere, config, sources),
    )


def refuse_not_begun(config: Config, connection: Connection) -> None:
    """Raises MisuseError where nothing is on record and the tool's own table lists files: each of
    them would run once more."""
    theirs = their_own(connection, config)
    if theirs is not None and (theirs.rows or theirs.up_to):
        raise MisuseError(
            f"{theirs.table} tells what {layout_of(config).tool} has applied here, and nothing of"
            " it is on record",
            why="each of those files would run once more",
            fix="have them recorded first, none of them is run:"
            f" {config.target.promotion} --hk-baseline=auto",
        )
    refuse_unrecorded(config)


def refuse_unrecorded(config: Config) -> None:
    """Raises MisuseError where the settings say that files are applied of which nothing is on
    record."""
    if config.baseline:
        raise MisuseError(
            f"baseline = {config.baseline!r} in the settings says that production has the files up"
            " to it, and nothing of it is on record",
            why="each of those files would run, and nothing has proved them as a batch",
            fix=f"have them recorded first, none of them is run: {recorded_by(config)}; if"
            " production has none of them, take the line out",
        )


def recorded_by(config: Config) -> str:
    """The command that puts on record what the settings say production has."""
    return f"{config.target.promotion} --hk-baseline={config.baseline}"


def _recorded(config: Config, sources: ProjectFiles, connection: Connection) -> frozenset[str]:
    if not has_reader(config):
        raise MisuseError(
            "--hk-baseline=auto, and the files are those of no other tool",
            why="it reads the table in which that tool remembers what it has applied",
            fix="say up to which version production has them: --hk-baseline=VERSION",
        )
    listed = listing(config, sources)
    if layout_of(config).name == "diesel" and are_hasuras(listed.of(Kind.MIGRATION)):
        raise MisuseError(
            "--hk-baseline=auto, and the folders are Hasura's",
            why="what it has applied it keeps in hdb_catalog, in a form that is not read",
            fix="say up to which version production has them, as hasura migrate status tells:"
            " --hk-baseline=VERSION; and let schema hdb_catalog stand in"
            " checks/baseline_drift.toml",
        )
    history = read_their_history(connection, config)
    paths = applied_paths(compared(config, sources, history, listed))
    if not paths:
        raise MisuseError(
            f"{history.table} lists nothing that is applied",
            why="a baseline says which files made what is there",
            fix="promote without --hk-baseline",
        )
    return frozenset(paths)


def _lacks(
    config: Config, sources: ProjectFiles, connection: Connection
) -> Callable[[SqlFile], bool]:
    """Whether a view or a policy that a file makes is not there."""

    def lacks(file: SqlFile) -> bool:
        try:
            made = list(makes(text_of(config, sources, file.path)))
        except ParseError:
            return False  # told where the files are looked at
        return any(not _is_there(connection, kind, name) for kind, name in made)

    return lacks


def _is_there(connection: Connection, kind: str, name: str) -> bool:
    if kind in ("VIEW", "MATERIALIZED VIEW"):
        row = connection.execute(
            "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (name,)
        ).fetchone()
    elif kind == "POLICY":
        policy, _, table = name.partition(" ON ")
        row = connection.execute(_POLICY, (table, unquoted(policy))).fetchone()
    else:
        return True  # whether a routine or a grant is this file's own, its name does not tell
    return bool(row and row[0])
