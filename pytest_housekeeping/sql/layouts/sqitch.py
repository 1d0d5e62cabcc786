"""Sqitch: ``deploy/name.sql`` in the order of ``sqitch.plan``, ``revert/name.sql`` back.

https://sqitch.org/docs/manual/sqitchtutorial/
"""

from __future__ import annotations

import configparser
import posixpath
from collections.abc import Iterator, Mapping

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing
from pytest_housekeeping.sql.layouts.sqitch_plan import Change, read_plan
from pytest_housekeeping.sql.project_files import upwards

PLAN = "sqitch.plan"
_DIRS = ("deploy_dir", "revert_dir", "reworked_dir", "reworked_deploy_dir", "plan_file")


def changes_of(ground: Ground) -> tuple[Change, ...]:
    """The changes of the plan, in order. Raises SqlFileError for one that cannot be read."""
    path = ground.at(PLAN)
    try:
        text = ground.files.read(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SqlFileError(
            f"{path} cannot be read: {error}",
            why="it is the order in which the changes run",
            fix="migrations names the folder that holds it",
        ) from None
    return read_plan(text, path)


def deploy_file(ground: Ground, change: Change) -> str:
    """Where its text stands. A change that was reworked later bears one of the tags before that."""
    names = [f"{change.name}@{tag}.sql" for tag in change.tags] or [f"{change.name}.sql"]
    paths = [ground.at("deploy", name) for name in names]
    return next((path for path in paths if ground.files.has(path)), paths[0])


def _listing(ground: Ground) -> Listing:
    errors = list(_misread(ground))
    try:
        changes = changes_of(ground)
    except SqlFileError as error:
        return Listing(errors=(*errors, error))
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    for change in changes:
        path = deploy_file(ground, change)
        name = path.removeprefix(ground.at("deploy", ""))
        back = ground.at("revert", name)
        version = name.removesuffix(".sql")
        migrations.append(Entry(path=path, kind=Kind.MIGRATION, version=version, rollback=back))
        if ground.files.has(back):
            rollbacks.append(Entry(path=back, kind=Kind.ROLLBACK, undoes=path))
    verify = ground.at("verify")
    said = "what a script of verify/ asks is not run here: checks/ holds what is verified"
    there = ground.files.find(verify, "*.sql", below=True)
    return Listing(
        entries=(*migrations, *rollbacks),
        passed_over={verify: said} if there else {},
        errors=tuple(errors),
    )


def _misread(ground: Ground) -> Iterator[SqlFileError]:
    """Settings that put the files elsewhere, or say that they are for another database."""
    paths = (posixpath.join(folder, "sqitch.conf") for folder in upwards(ground.folder))
    path = next(filter(ground.files.has, paths), "")
    if not path:
        return
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(
            "\n".join(line.strip() for line in ground.files.read(path).decode().splitlines())
        )
    except (configparser.Error, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0]
        yield _refused(path, f"cannot be read: {said}", "correct it")
        return
    core = dict(parser["core"]) if parser.has_section("core") else {}
    if core.get("engine", "pg") != "pg":
        yield _refused(path, f"says engine = {core['engine']}", "only pg is PostgreSQL")
    if core.get("extension", "sql") != "sql":
        yield _refused(path, f"says extension = {core['extension']}", "name the files .sql")
    for key in _DIRS:
        if key in core:
            yield _refused(
                path, f"says {key} = {core[key]}", "put deploy/ and revert/ beside the plan"
            )


def _refused(path: str, said: str, fix: str) -> SqlFileError:
    return SqlFileError(
        f"{path} {said}",
        why="files would be looked for where they are not, or run by something else",
        fix=fix,
    )


def _recorded(ground: Ground) -> Mapping[str, str]:
    """An id, which is made of its line in the plan and all before it."""
    return {deploy_file(ground, change): change.id for change in changes_of(ground)}


LAYOUT = Layout(
    name="sqitch",
    tool="Sqitch",
    listing=_listing,
    recorded=_recorded,
    marks=("Sqitch",),
    one_by_one=True,
    psql_home=lambda ground: ground.folder,
)
