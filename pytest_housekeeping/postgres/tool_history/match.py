"""The rows of a tool's history beside the files of the project: which files production has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.postgres.tool_history.table import TheirHistory, TheirRow
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.numbered import same_version, version_key

_BY_FILES = (
    "or let this tool go by the files alone, and prove the schema all the same:"
    " --hk-baseline=VERSION"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """A file that no file here is: its path, the commit that holds it, a branch with that commit,
    "" where it is an ancestor of what is checked out, and ``now``, the path of its text here."""

    path: str
    commit: str
    branch: str
    now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """The paths of the files that production has, in the order of the files, those whose text is
    another one by now among them; and each row that is wrong, or is none of theirs."""

    paths: tuple[str, ...]
    faults: tuple[MisuseError, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A tool's history, and the files of the project that its rows are looked for among.

    ``checksum`` is what the tool would record of a file as it is now; ``elsewhere`` looks for the
    file of a row in other commits.
    """

    history: TheirHistory
    migrations: Sequence[Entry]
    repeatable: Sequence[Entry]
    checksum: Callable[[Entry], str]
    elsewhere: Callable[[TheirRow], Elsewhere | None]


def matched(given: Comparison) -> Matched:
    """What a history tells of the files, in whatever order the tool has applied them: a row that
    failed, one whose file is gone or has another text, is a fault."""
    found, wrong = _found(given)
    wrong += _edited(given, found)
    same = {r: e for r, e in found.items() if not r.repeatable or _is_same(given, r, e)}
    return Matched(paths=_paths(given, same), faults=tuple(wrong))


def applied_paths(given: Comparison) -> tuple[str, ...]:
    """The paths of the files that production has, in the order of the files.

    Raises MisuseError, with all that is wrong at once: what `matched` says, a file that the tool
    has passed over, another order.
    """
    found, wrong = _found(given)
    wrong += _edited(given, found)
    found = {row: entry for row, entry in found.items() if _is_same(given, row, entry)}
    if not wrong:
        wrong += _out_of_order(given.history, given.migrations, found)
    if wrong:
        raise MisuseError("\n".join(str(each) for each in wrong))
    return _paths(given, found)


def _paths(given: Comparison, found: Mapping[TheirRow, Entry]) -> tuple[str, ...]:
    migrations, repeatable = given.migrations, given.repeatable
    there = {entry.path for entry in found.values()}
    there |= {entry.path for entry in migrations if _covered(given.history, entry)}
    there |= {entry.path for entry in repeatable if entry.every and there}
    return tuple(entry.path for entry in (*migrations, *repeatable) if entry.path in there)


def _found(given: Comparison) -> tuple[dict[TheirRow, Entry], list[MisuseError]]:
    """The file of each row, and what is wrong with the rows that have none."""
    history, migrations, repeatable = given.history, given.migrations, given.repeatable
    found: dict[TheirRow, Entry] = {}
    wrong: list[MisuseError] = []
    for row in (_of_its_kind(row, migrations, repeatable) for row in history.rows):
        if row.fault:
            wrong.append(_faulty(history, row))
            continue
        entry = _entry(row, repeatable if row.repeatable else migrations)
        if entry is not None:
            found[row] = entry
        elif not row.repeatable:
            known = migrations if row.checksum else ()
            again = [each.path for each in known if given.checksum(each) == row.checksum]
            planned = [each.path for each in migrations if _bears(each, row)]
            found_there = None if again or planned else given.elsewhere(row)
            wrong.append(
                _replanned(history, row, planned[0])
                if planned
                else _ahead(history, row, again, found_there)
            )
    alone = TheirRow(version=history.up_to, name=history.up_to)
    if history.up_to and not history.rows and _entry(alone, migrations) is None:
        wrong.append(_ahead(history, alone, (), given.elsewhere(alone)))
    return found, wrong


def _of_its_kind(
    row: TheirRow, migrations: Sequence[Entry], repeatable: Sequence[Entry]
) -> TheirRow:
    """Some tables do not tell what is repeated: the files do."""
    unknown = row.by_file and _entry(row, migrations) is None
    again = unknown and _entry(row, repeatable) is not None
    return replace(row, repeatable=True) if again else row


def _entry(row: TheirRow, entries: Sequence[Entry]) -> Entry | None:
    if row.repeatable and not row.by_file:
        return next((each for each in entries if each.path.endswith(f"/{row.version}")), None)
    fits = [each for each in entries if is_of(each, row)]
    return fits[0] if fits and not (row.by_file and len(fits) > 1) else None


def is_of(entry: Entry, row: TheirRow) -> bool:
    """Whether a row, by its version, is that of a migration."""
    if row.by_file:
        return f"/{entry.version}".endswith(f"/{row.version}")
    return same_version(entry.version, row.version)


def _covered(history: TheirHistory, entry: Entry) -> bool:
    """Whether the tool has taken it for applied without a row of its own."""
    return bool(history.up_to) and version_key(entry.version) <= version_key(history.up_to)


def _edited(given: Comparison, found: Mapping[TheirRow, Entry]) -> Iterator[MisuseError]:
    """Of a repeatable file another text is the next one, and no fault."""
    for row, entry in found.items():
        if row.repeatable or _is_same(given, row, entry):
            continue
        yield MisuseError(
            f"{entry.path} is not the text that {given.history.table} has of it: checksum"
            f" {given.checksum(entry)}, and {row.checksum} there",
            why="what is recorded has to be what production has run",
            fix=f"bring its text of then back: git log -p -- {entry.path}; where it was edited with"
            f" intent, let the tool write the new checksum, {_BY_FILES}",
        )


def _is_same(given: Comparison, row: TheirRow, entry: Entry) -> bool:
    now = given.checksum(entry) if row.checksum else ""
    return not now or now == row.checksum


def _out_of_order(
    history: TheirHistory, migrations: Sequence[Entry], found: Mapping[TheirRow, Entry]
) -> Iterator[MisuseError]:
    places = {entry.path: place for place, entry in enumerate(migrations)}
    applied = [places[entry.path] for row, entry in found.items() if not row.repeatable]
    last = max(applied, default=-1)
    for place, entry in enumerate(migrations[: max(last, 0)]):
        if place not in applied and not _covered(history, entry):
            yield MisuseError(
                f"{entry.path} is not in {history.table}, and {migrations[last].path}, which comes"
                " behind it, is",
                why="files would be recorded in an order in which they were not run",
                fix=f"apply it with the tool, or give it a version behind that; {_BY_FILES}",
            )
    if history.ordered and applied != sorted(applied):
        first = next(
            here for here, then in zip(applied, sorted(applied), strict=True) if here != then
        )
        yield MisuseError(
            f"{history.table} tells of another order than the files: {migrations[first].path} was"
            " applied before files that come before it",
            why="what files make may depend on their order, and here they run in that of their"
            " versions",
            fix=f"give it the version at which it ran; {_BY_FILES}",
        )


def _faulty(history: TheirHistory, row: TheirRow) -> MisuseError:
    return MisuseError(
        f"{history.table} says of {row.name} that {row.fault}",
        why="nobody knows what of it is in production",
        fix="look at what stands, repair it with the tool, and run again",
    )


def _bears(entry: Entry, row: TheirRow) -> bool:
    """Whether it is the change of that name, of a tool that knows changes by ids."""
    return f"/{entry.path}".endswith(f"/deploy/{row.name}.sql")


def _replanned(history: TheirHistory, row: TheirRow, path: str) -> MisuseError:
    return MisuseError(
        f"{history.table} knows {row.name} by the id {row.version[:12]}, and {path} has another"
        " one",
        why="the id is made of its line in the plan and of all before it: one of them was edited",
        fix="bring the plan of then back: git log -p -- sqitch.plan; what comes new is added at its"
        f" end; {_BY_FILES}",
    )


def _ahead(
    history: TheirHistory, row: TheirRow, again: Sequence[str], there: Elsewhere | None
) -> MisuseError:
    now = again[0] if again else there.now if there else ""
    if now:
        was = f", which was {there.path} in commit {there.commit}," if there else ","
        return MisuseError(
            f"{history.table} lists {row.name}{was} whose text is that of {now} by now",
            why="production has it under the version of then, and would get it once more",
            fix="give the file its version back"
            + (f": git mv {now} {there.path}" if there else ""),
        )
    found = f"production is ahead of the repository: {history.table} lists {row.name}"
    why = "what it has made is in production, and nothing here would make it"
    if there is None:
        return MisuseError(
            f"{found}, and no file of this commit has that version",
            why=why,
            fix="find the commit that holds it, in another clone it may be (git fetch --all; git"
            " log --all --diff-filter=AD --name-only), merge it or check it out, and run again;"
            " where it is lost, write a file of that version that makes what stands: with"
            " --hk-baseline=auto it is compared and recorded, and never run",
        )
    if there.branch:
        return MisuseError(
            f"{found}, which is {there.path} of {there.branch} (commit {there.commit})",
            why=why,
            fix=f"merge {there.branch}, or check it out, and run again",
        )
    return MisuseError(
        f"{found}, which was {there.path} and was removed since commit {there.commit}",
        why=why,
        fix=f"bring it back: git checkout {there.commit} -- {there.path}; what is to go is undone"
        " by a migration of its own",
    )
