"""A production that another tool goes on migrating: what that tool's table tells of the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence.git.repository import Repository
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan, ToolsPast
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.tool_history.match import matched
from pytest_housekeeping.postgres.tool_history.readers import their_own
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks import shared
from pytest_housekeeping.promotion.production.other_tool.their_files import compared
from pytest_housekeeping.promotion.production.read_project import ReadProject
from pytest_housekeeping.promotion.repository.applied import applied_files
from pytest_housekeeping.sql.layouts.known import layout_of
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles


def tools_past(config: Config, sources: ProjectFiles, connection: Connection) -> ToolsPast | None:
    """What the tool of the layout has applied here, of which nothing is on record; None where it
    has left no table. Raises ProofFailed for one that may not be read."""
    theirs = their_own(connection, config)
    if theirs is None or not (theirs.rows or theirs.up_to):
        return None
    listed = listing(config, sources)
    kinds = {entry.path: entry.kind for entry in listed.entries}
    found = matched(compared(config, sources, theirs, listed))
    files = tuple(
        AppliedFile(path=path, sha256=sources.digest(path), kind=kinds[path], commit="")
        for path in found.paths
    )
    tool = layout_of(config).tool
    return ToolsPast(
        tool=tool, table=theirs.table, owner=theirs.owner, files=files, faults=found.faults
    )


def applied_now(context: RunContext, connection: Connection) -> list[str]:
    """The paths of the files that are applied now, by whoever applies them."""
    config, sources = context.config, context.plan.sources
    if context.plan.theirs is None:
        applied = applied_files(history.applied(connection, config.history_schema))
    else:
        theirs = tools_past(config, sources, connection)
        applied = theirs.files if theirs else ()
    return [each.path for each in applied]


def pending_paths(project: ReadProject, plan: Plan, *, all_kinds: bool) -> list[str]:
    """What is pending, as the repository names it: the migrations, or views and policies too."""
    if project.repository is None:
        return []
    root, found = project.config.root, plan.unapplied
    wanted = [path for path in found if all_kinds or path in plan.order]
    return [project.repository.relative(root / on_disk(path)) for path in wanted]


def commit_before(repository: Repository, paths: Sequence[str]) -> str:
    """The commit before the first of the files came in; "" where it is not in this clone."""
    added = ("log", "--format=%H", "--diff-filter=A", "--no-renames", "--", *paths)
    _, found, _ = repository.attempt(*added)
    first = found.decode().split()[-1:]
    return repository.commit(f"{first[0]}^") or "" if first else ""


def holds_any(repository: Repository, commit: str, paths: Sequence[str]) -> bool:
    """Whether a commit of this clone has one of the files."""
    if not paths or repository.commit(commit) is None:
        return False
    _, found, _ = repository.attempt("ls-tree", "--full-tree", "--name-only", commit, "--", *paths)
    return bool(found)


def history_findings(context: RunContext) -> list[Finding]:
    """What of the files is another text than was applied, or comes too late; where another tool
    applies them, what is wrong in its table as well. In which order that runs them is its own
    business, and only said."""
    found, theirs = shared.history_findings(context), context.plan.theirs
    if theirs is None:
        return found
    found = [
        replace(each, level=Level.WARNING) if each.rule == "history-order" else each
        for each in found
    ]
    wrong = (shared.error("tool-history", theirs.table, f.found, f.fix) for f in theirs.faults)
    return [*found, *wrong]
