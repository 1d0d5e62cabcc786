"""What is wrong with the files of a plan: each one by itself, and in the segment that it is in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind, Step
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.read import reading, text_of
from pytest_housekeeping.sql.outside import done_at_once, reached_outside
from pytest_housekeeping.sql.own_limits import limits_lifted
from pytest_housekeeping.sql.own_schema import own_schema_problems
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import digest, place

if TYPE_CHECKING:
    from pytest_housekeeping.sql.enums import EarlyUse

# Findings of what no rollback takes back.
REACHES = "reaches-outside"
STAYS = "stays-behind"
_OWN_HEADER = "-- hk: transaction=own"
_OUTSIDE_WHY = (
    "it is done at once, in staging, on each copy of production and in production, and no rollback"
    " takes it back; what is read there is in no commit"
)
_OUTSIDE_FIX = (
    "take it out of the file, to a step before or behind the promotion; rows can be written as"
    " INSERT ... VALUES"
)
_AT_ONCE_WHY = (
    "everybody sees it before COMMIT, and where the batch is rolled back it stays all the same"
)
_AT_ONCE_FIX = "take it out of the file, to a step before or behind the promotion"
_LIMIT_WHY = (
    "to the end of the file it goes before the limit of the batch: while it waits for a lock that"
    " was not had before, everybody waits who needs what the batch has locked"
)
_LIMIT_FIX = (
    "take it out of the file: each statement has lock_timeout and statement_timeout of"
    " [tool.housekeeping]"
)
_RESTART = (
    "ALTER SEQUENCE ... RESTART WITH ..., which belongs to the transaction; with a number that is"
    " worked out, by EXECUTE in a DO block"
)
_UNSAFE_VALUE = re.compile(r'unsafe use of new value "(.*?)" of enum type')


def problems_of(config: Config, plan: Plan) -> list[tuple[SqlFile, Problem]]:
    """All that is wrong inside the files, and enum values used in the batch that adds them."""
    found = [(file, problem) for file in plan.files for problem in file.problems]
    return found + list(_early_values(config, plan))


def own_schema_named(config: Config, plan: Plan) -> Iterable[tuple[SqlFile, Problem]]:
    """Where a file names the schema of this tool's own tables."""
    for file in plan.files:
        # What is unreadable is told as such; a text that is in no file was made by this tool.
        with suppress(SqlFileError, OSError):
            data = plan.sources.read(file.path)
            same = digest(data) == file.sha256
            text = reading(config, plan.sources, file.path, data).text if same else ""
            schema, migrator = config.history_schema, config.migrator
            for problem in own_schema_problems(text, schema=schema, migrator=migrator):
                yield file, problem


def warnings_of(config: Config, plan: Plan) -> Iterable[tuple[str, SqlFile, Problem]]:
    """What a file may do, and somebody else may have to pay for; and the rule that says so."""
    yield from reaching_out(config, plan)
    yield from limits_of_their_own(config, plan)


def reaching_out(config: Config, plan: Plan) -> Iterable[tuple[str, SqlFile, Problem]]:
    """Where a file does what no rollback takes back, and the rule that says so: beyond the
    database, or, but for seeds, which are for a throwaway one, in it."""
    for file in plan.files:
        text = _text(config, plan, file.path)
        for offset, what in reached_outside(text):
            found = Problem.at(text, offset, what, _OUTSIDE_WHY, _OUTSIDE_FIX)
            yield REACHES, file, found
        for offset, what in done_at_once(text) if file.kind is not Kind.SEED else ():
            fix = _RESTART if what == "setval" else _AT_ONCE_FIX
            yield STAYS, file, Problem.at(text, offset, f"{what}()", _AT_ONCE_WHY, fix)


def limits_of_their_own(config: Config, plan: Plan) -> Iterable[tuple[str, SqlFile, Problem]]:
    """Where a file that others wait for lifts the limits of the batch."""
    limits = {
        "lock_timeout": milliseconds(config.lock_timeout),
        "statement_timeout": milliseconds(config.statement_timeout),
    }
    for file in plan.files:
        text = "" if file.kind is Kind.SEED else _text(config, plan, file.path)
        for offset, what in limits_lifted(text, limits):
            yield "limit-lifted", file, Problem.at(text, offset, what, _LIMIT_WHY, _LIMIT_FIX)


def _early_values(config: Config, plan: Plan) -> Iterable[tuple[SqlFile, Problem]]:
    """Values of enums that are used in the transaction that adds them."""
    if not any(file.values_added for segment in plan.segments for file in segment.files):
        return
    from pytest_housekeeping.sql.enums import EnumReader

    reader = EnumReader(server_version=config.server_version)
    for path in (*plan.bootstrap, *(file.path for file in plan.past)):
        list(reader.read(path, _text(config, plan, path)))
    for segment in plan.segments:
        reader.committed()
        adding = {file.path: file for file in segment.files}
        seeds = plan.seeds if segment is plan.segments[-1] else ()
        for file in (*segment.files, *seeds):
            for use in reader.read(file.path, _text(config, plan, file.path)):
                if not adding[use.added_by].insists_on_batch:
                    yield adding[use.added_by], _early_use(use, _text(config, plan, use.added_by))


def header_for_new_value(plan: Plan, step: Step, found: str) -> str:
    """What to do where a step met a new enum value too early: "" if it failed of another cause.

    The server gives the value and not the file that adds it.
    """
    refused = _UNSAFE_VALUE.search(found)
    if refused is None:
        return ""
    own = [segment for segment in plan.segments if segment.number == step.segment]
    adding = [file.path for each in own for file in each.files if refused[1] in file.values_added]
    if not adding:
        return f"begin the file that adds the value {refused[1]!r} with: {_OWN_HEADER}"
    if step.path in adding:
        return (
            f"move what uses the value behind {step.path}, and begin that file with: {_OWN_HEADER}"
        )
    return f"begin {' and '.join(adding)} with: {_OWN_HEADER}"


def _text(config: Config, plan: Plan, path: str) -> str:
    """The text of a file as it runs; "" of one that is told elsewhere to be unreadable."""
    with suppress(SqlFileError, OSError):
        return text_of(config, plan.sources, path)
    return ""


def _early_use(use: EarlyUse, text: str) -> Problem:
    line, column = place(text, use.added_at)
    return Problem(
        line=line,
        column=column,
        found=f"the enum value {use.value!r} is added here and used by {use.used_by},"
        f" line {use.used_in_line}",
        why="PostgreSQL refuses a new value in the transaction that adds it (55P04)",
        fix=f"begin this file with: {_OWN_HEADER}"
        if use.used_by != use.added_by
        else "move the statements that use it into a later file,"
        f" and begin this one with: {_OWN_HEADER}",
    )
