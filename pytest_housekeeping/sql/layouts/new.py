"""A migration that comes next, in the form of the project's tool: its files and their texts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.flyway_conf import flyway_conf
from pytest_housekeeping.sql.layouts.known import OWN, layout_of
from pytest_housekeeping.sql.layouts.layout import Ground
from pytest_housekeeping.sql.layouts.liquibase_order import order_of
from pytest_housekeeping.sql.layouts.numbered import version_key
from pytest_housekeeping.sql.layouts.own import rollbacks_at
from pytest_housekeeping.sql.path_names import changeset_in, on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles, upwards

_STAMP = "%Y%m%d%H%M%S"
# As long as a date at the least: such versions are times.
_TIME = 8
_DATE = re.compile(r"(?:19|20)\d\d([._])(?:0?\d|1[0-2])[._](?:[0-2]?\d|3[01])(?!\d)")
_Files = Mapping[str, str]
_WIDTH = 4


def new_migration(
    config: Config, files: ProjectFiles, name: str, *, up: str, down: str | None = None
) -> _Files:
    """The files of a migration behind all that are there, by path, with the text of its way up and
    of its way back; without ``down`` it has none.

    Raises MisuseError for a tool that writes more than files of its own, as Sqitch does its plan.
    """
    layout, ground = layout_of(config), Ground(config=config, files=files)
    if layout.name not in _FORMS:
        raise _refused(layout.name, name)
    versions = [entry.version for entry in layout.listing(ground).of(Kind.MIGRATION)]
    return _FORMS[layout.name](ground, versions, name, (up, down))


def _refused(layout: str, name: str) -> MisuseError:
    if layout == "drizzle":
        return MisuseError(
            "a migration of Drizzle is more than its file",
            why="what it makes of the schema is kept in a snapshot beside it",
            fix=f"npx drizzle-kit generate, or npx drizzle-kit generate --custom --name={name}",
        )
    return MisuseError(
        "a change of Sqitch stands in its plan as well",
        why="who has planned it, and when, is a part of its id",
        fix=f"sqitch add {name}",
    )


_Texts = tuple[str, str | None]


def _own(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
    number = _next(versions, stamps=False)
    file = f"{number}_{name}.sql"
    return _two(ground.at(file), rollbacks_at(ground, file), texts)


def _flyway(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
    """Beside the newest one, which lies in a location, and called as the configuration says."""
    conf = flyway_conf(ground.files, ground.folder)
    newest = [entry.path for entry in layout_of(ground.config).listing(ground).of(Kind.MIGRATION)]
    folder = posixpath.dirname(newest[-1]) if newest else ground.folder
    number = _next_date(versions) or _next(versions, stamps=False, width=1)
    up, down = (
        posixpath.join(folder, f"{prefix}{number}{conf.separator}{name}{conf.suffixes[0]}")
        for prefix in (conf.prefix("V"), conf.prefix("U"))
    )
    undone = (conf.prefix("V"), conf.prefix("U"), conf.separator) == ("V", "U", "__")
    return _two(up, down, texts) if undone and not _is_refinerys(ground) else {up: texts[0]}


def _is_refinerys(ground: Ground) -> bool:
    """Whether a Rust project runs the files with refinery, to which U is one more migration."""
    paths = (posixpath.join(folder, "Cargo.toml") for folder in upwards(ground.folder))
    return any(ground.files.has(path) and b"refinery" in ground.files.read(path) for path in paths)


def _next_date(versions: Sequence[str]) -> str:
    """Of versions that are dates in parts, today, with the time behind it where that is there; ""
    for others."""
    highest = max(versions, key=version_key, default="")
    dated = _DATE.match(highest)
    if dated is None:
        return ""
    forms = ("%Y.%m.%d", "%Y.%m.%d.%H%M%S")
    days = (_now(form).replace(".", dated[1]) for form in forms)
    return next((each for each in days if version_key(each) > version_key(highest)), "")


def _halves(
    up: str, down: str, number: Callable[[Sequence[str]], str] = lambda v: _next(v, stamps=True)
) -> Callable[[Ground, Sequence[str], str, _Texts], _Files]:
    def files(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
        path = ground.at(f"{number(_numbers(versions))}_{name}.sql")
        head = f"{up}\n" if up else ""
        return {path: f"{head}{texts[0]}\n{down}\n{texts[1] or ''}"}

    return files


def _numbers(versions: Sequence[str]) -> Sequence[str]:
    """A version may be a whole name: of two that bear one number, and in Atlas's `7-name.sql`."""
    return [number for each in versions if (number := re.split(r"\D", each)[0])]


def _milliseconds(_: Sequence[str]) -> str:
    return str(int(datetime.now(UTC).timestamp() * 1000))


def _directed(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
    start = ground.at(f"{_next(versions, stamps=True)}_{name}")
    return _two(f"{start}.up.sql", f"{start}.down.sql", texts)


def _sqlx(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
    """sqlx takes either form in all of a folder."""
    plain = any(not path.endswith((".up.sql", ".down.sql")) for path in _paths(ground))
    if not plain:
        return _directed(ground, versions, name, texts)
    return {ground.at(f"{_next(versions, stamps=True)}_{name}.sql"): texts[0]}


def _plain(ground: Ground, versions: Sequence[str], name: str, texts: _Texts) -> _Files:
    return {ground.at(f"{_next(_numbers(versions), stamps=True)}_{name}.sql"): texts[0]}


def _prisma(ground: Ground, _: Sequence[str], name: str, texts: _Texts) -> _Files:
    folder = f"{_now(_STAMP)}_{name}"
    return _two(ground.at(folder, "migration.sql"), ground.at(folder, "down.sql"), texts)


def _diesel(ground: Ground, _: Sequence[str], name: str, texts: _Texts) -> _Files:
    folder = f"{_now('%Y-%m-%d-%H%M%S')}_{name}"
    return _two(ground.at(folder, "up.sql"), ground.at(folder, "down.sql"), texts)


def _liquibase(ground: Ground, _: Sequence[str], name: str, texts: _Texts) -> _Files:
    """A file behind all others, of one changeset, by the author of the last one."""
    migrations = layout_of(ground.config).listing(ground).of(Kind.MIGRATION)
    newest = migrations[-1].path if migrations else ground.at("0000.sql#author:0")
    folder, _, last = on_disk(newest).rpartition("/")
    number = re.match(r"\d*", last)
    given = [number[0]] if number and number[0] else ["0"]
    path = posixpath.join(folder, f"{_next(given, stamps=False)}_{name}.sql")
    included = order_of(ground).would_include(path)
    author = unquote(changeset_in(newest).partition(":")[0])
    if not included or path <= on_disk(newest):
        raise MisuseError(
            f"{path} would not be the last file that Liquibase reads",
            why="a changelog names its files, or their names give another order",
            fix="write the file, with --liquibase formatted sql and --changeset AUTHOR:ID at its"
            " head, and name it in the changelog behind all others",
        )
    up, down = texts
    back = "".join(f"--rollback {line}\n" for line in (down or "").splitlines() if line)
    mark = f'"{author}"' if re.search(r"\s", author) else author
    return {path: f"--liquibase formatted sql\n\n--changeset {mark}:{name}\n{up}\n{back}"}


def _two(path: str, back: str, texts: _Texts) -> _Files:
    up, down = texts
    return {path: up} if down is None else {path: up, back: down}


def _paths(ground: Ground) -> Sequence[str]:
    return ground.files.find(ground.folder, "*.sql")


def _next(versions: Sequence[str], *, stamps: bool, width: int = _WIDTH) -> str:
    """One more than the highest; of versions that are times, the time that it is."""
    if not versions:
        return _now(_STAMP) if stamps else f"{1:0{width}}"
    highest = max(versions, key=version_key)
    if len(highest) >= _TIME and highest.isdecimal():
        # Some count on behind the second; and a version may be of a day to come.
        now = _now(_STAMP).ljust(len(highest), "0")
        return now if int(now) > int(highest) else str(int(highest) + 1)
    digits = re.split(r"\D", highest)[0]
    return f"{int(digits) + 1:0{len(digits)}}"


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


_FORMS: Mapping[str, Callable[[Ground, Sequence[str], str, _Texts], _Files]] = {
    OWN: _own,
    "flyway": _flyway,
    "dbmate": _halves("-- migrate:up", "-- migrate:down"),
    "goose": _halves("-- +goose Up", "-- +goose Down"),
    "sql-migrate": _halves("-- +migrate Up", "-- +migrate Down"),
    "tern": _halves(
        "", "---- create above / drop below ----", lambda v: _next(v, stamps=False, width=3)
    ),
    "node-pg-migrate": _halves("-- Up Migration", "-- Down Migration", _milliseconds),
    "golang-migrate": _directed,
    "sqlx": _sqlx,
    "supabase": _plain,
    "atlas": _plain,
    "prisma": _prisma,
    "diesel": _diesel,
    "liquibase": _liquibase,
    "rambler": _halves("-- rambler up", "-- rambler down"),
}
