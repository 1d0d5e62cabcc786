"""The settings: ``[tool.housekeeping]`` of the rootdir's pyproject.toml, checked as a whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_housekeeping.config import PRODUCTION, Config
from pytest_housekeeping.declarations.connection_url import passwords_in
from pytest_housekeeping.declarations.fleets import TABLE as FLEETS
from pytest_housekeeping.declarations.fleets import chosen_fleet, member_target, read_fleets
from pytest_housekeeping.declarations.layout import with_layout, wrong_layout
from pytest_housekeeping.declarations.may_move import wrongly_declared
from pytest_housekeeping.declarations.pinned_settings import names_to_choose
from pytest_housekeeping.declarations.platform import on_platform
from pytest_housekeeping.declarations.stubs import read_stubs, wrongly_trusted
from pytest_housekeeping.declarations.targets import TABLE, chosen, read_targets
from pytest_housekeeping.declarations.toml import Problems, closest, expect_keys
from pytest_housekeeping.declarations.window import read_window
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.identifiers import SIMPLE
from pytest_housekeeping.sql.layouts.in_code import without_sql
from pytest_housekeeping.sql.platforms import PLATFORMS
from pytest_housekeeping.sql.project_files import ProjectFiles

_DURATION = re.compile(r"[1-9]\d*(ms|s|min|h)")
_DURATIONS = (
    "lock_timeout",
    "statement_timeout",
    "idle_timeout",
    "lock_wait",
    "question_timeout",
    "long_transaction",
    "max_replica_lag",
    "activity_wait",
)
# What git takes for a name, and never for an option or a way from one commit to another.
_REF = re.compile(r"[\w.][\w./@+-]*")
# What of the settings is no key of the table itself.
NO_KEYS = ("root", "target", "targets", "fleets")
# Read by themselves: a table of its own each.
_APART = ("stubs",)
_TYPES = {
    field.name: str(field.type) for field in fields(Config) if field.name not in (*NO_KEYS, *_APART)
}
_FITTING: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "Mapping[str, str]": (dict,),
    "tuple[str, ...]": (list,),
}
_CALLED = {
    "str": "a string",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "tuple[str, ...]": "an array of strings",
    "list": "an array",
    "Mapping[str, str]": "a table of names and strings",
    "dict": "a table",
}

# The file in the root that holds [tool.housekeeping].
SETTINGS = "pyproject.toml"


def load_config(
    root: Path,
    files: ProjectFiles | None = None,
    *,
    folders: tuple[str, ...] = ("sql", "checks"),
    target: str = PRODUCTION,
) -> Config:
    """Read and check the settings, those of all targets; the ``folders`` that they name have to be
    there. What is returned is what holds for ``target``.

    Raises MisuseError that names every error at once.
    """
    problems = Problems(f"[tool.housekeeping] in {SETTINGS}")
    table = _table(files or ProjectFiles(root))
    expect_keys(
        table, dict.fromkeys((*_TYPES, *_APART, TABLE, FLEETS), False), "the table", problems
    )
    values = {"stubs": read_stubs(table, problems), **_values(table, "", problems)}
    values = on_platform(values)
    config = Config(root=root, **values)
    config = with_layout(config, files or ProjectFiles(root))
    targets, of_targets = read_targets(table, config.audit, problems)
    fleets, of_fleets = read_fleets(table, config.audit, targets, problems)
    config = replace(config, targets=targets, fleets=fleets, target=targets[PRODUCTION])
    errors = [*_invalid(config, folders)]
    all_of = {}
    for place, keys in _otherwise({TABLE: of_targets, FLEETS: of_fleets}):
        all_of[place] = replace(config, **_values(keys, f"{place}: ", problems))
        others = [each for each in _invalid(all_of[place], folders) if each not in errors]
        errors += [f"{place}: {each}" for each in others]
    for error in errors:
        problems.add(error)
    problems.raise_any(
        why="a setting that is misread could let a check pass that never ran",
        fix="correct the keys named; all of them: python -m pytest_housekeeping docs configuration",
    )
    fleet, _, member = target.partition("/")
    if member:
        of_fleet = chosen_fleet(fleets, fleet)
        own = member_target(of_fleet, member, config.audit)
        return replace(all_of[f"{FLEETS}.{fleet}"], target=own, audit=own.audit)
    own = chosen(targets, target)
    return replace(all_of[f"{TABLE}.{target}"], target=own, audit=own.audit)


def _otherwise(
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each target and each fleet has otherwise, by its place in the settings."""
    for table, named in tables.items():
        yield from ((f"{table}.{name}", keys) for name, keys in named.items())


def _values(table: Mapping[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    """The keys whose values have their type."""
    values: dict[str, Any] = {}
    for key in (key for key in table if key in _TYPES):
        if _fits(table[key], _TYPES[key]):
            values[key] = tuple(table[key]) if isinstance(table[key], list) else table[key]
        else:
            actual = _called(table[key])
            problems.add(f"{where}{key} = {table[key]!r} is {actual}, not {_CALLED[_TYPES[key]]}")
    return values


def has_settings(folder: Path) -> bool:
    """Whether the pyproject.toml of a folder has ``[tool.housekeeping]``, right or wrong."""
    try:
        return settings_in((folder / SETTINGS).read_bytes()) is not None
    except OSError:
        return False


def settings_in(text: bytes) -> Any:
    """``tool.housekeeping`` of a pyproject.toml, of whatever version and unchecked; None without
    one, and for a text that is no TOML."""
    try:
        return tomllib.loads(text.decode())["tool"]["housekeeping"]
    except (ValueError, KeyError, TypeError):
        return None


def _table(files: ProjectFiles) -> dict[str, Any]:
    if not files.has(SETTINGS):
        return {}
    try:
        document = tomllib.loads(files.read(SETTINGS).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MisuseError(
            f"{SETTINGS} cannot be read: {error}",
            why="the settings of the promotion stand in it",
            fix="correct the file",
        ) from None
    table = document.get("tool", {}).get("housekeeping", {})
    if not isinstance(table, dict):
        raise MisuseError(
            f"tool.housekeeping in {SETTINGS} is no table", fix="write [tool.housekeeping]"
        )
    return table


def _fits(value: object, kind: str) -> bool:
    # For Python True is an int, for TOML it is none.
    if isinstance(value, bool):
        return kind == "bool"
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        return False
    return isinstance(value, _FITTING[kind])


def _called(value: object) -> str:
    kind = type(value).__name__
    return _CALLED.get(kind, f"a {kind}")


def _invalid(config: Config, folders: tuple[str, ...]) -> Iterator[str]:
    if config.server not in ("embedded", "system"):
        yield f'server = {config.server!r} is neither "embedded" nor "system"'
    if config.server == "embedded" and config.server_version not in (16, 17, 18):
        yield f"server_version = {config.server_version}: the embedded server is 16, 17 or 18"
    if config.platform and config.platform not in PLATFORMS:
        near = closest(config.platform, PLATFORMS)
        yield f"platform = {config.platform!r} is none that is known{near}"
    yield from _waits(config)
    for key in ("migrator", "history_schema", "question_role"):
        optional = key == "question_role" and not config.question_role
        if not optional and not SIMPLE.fullmatch(getattr(config, key)):
            yield f"{key} = {getattr(config, key)!r} is no plain lower-case identifier"
    for key in ("sql", "checks", "audit", "evidence_signers", "approvers"):
        yield from _misplaced(config, key, needed=key in folders)
    yield from wrong_layout(config)
    yield from wrongly_trusted(config.trusted_extensions)
    yield from _session(config)
    yield from _generated_code(config)
    yield from _running(config)
    yield from _twin(config)
    yield from wrongly_declared(config.may_move)
    yield from _approvals(config)
    yield from _thresholds(config)
    # A number that is none (nan) compares as false with everything.
    if not config.max_locks_held >= 0:
        yield "max_locks_held is below 0, or no number"
    if not 0 <= config.mutation_score <= 1:
        yield f"mutation_score = {config.mutation_score} is no share from 0 to 1"


def _approvals(config: Config) -> Iterator[str]:
    if config.approvals < 0:
        yield f"approvals = {config.approvals} is below 0"
    elif config.approvals and not config.approvers:
        yield f"approvals = {config.approvals}, and approvers does not say who may approve"


def _waits(config: Config) -> Iterator[str]:
    for key in _DURATIONS:
        if not _DURATION.fullmatch(getattr(config, key)):
            yield f'{key} = {getattr(config, key)!r} is no duration above zero, such as "5s"'
    if config.lock_attempts < 1:
        yield f"lock_attempts = {config.lock_attempts}: at least one attempt is made"
    if config.window:
        try:
            read_window(config.window)
        except ValueError as error:
            yield f"window = {config.window!r} {error}"


def _thresholds(config: Config) -> Iterator[str]:
    for key in (
        *("small_table_mb", "large_table_mb", "hot_table_writes", "lock_window_statements"),
        "known_days",
    ):
        # A number that is none (nan) compares as false with everything.
        if not getattr(config, key) >= 0:
            yield f"{key} = {getattr(config, key)} is below 0, or no number"
    if config.small_table_mb > config.large_table_mb:
        small, large = config.small_table_mb, config.large_table_mb
        yield f"small_table_mb = {small} is above large_table_mb = {large}"


def _generated_code(config: Config) -> Iterator[str]:
    for path in config.generated_code:
        given = PurePosixPath(path)
        below = [key for key in ("sql", "checks") if given.is_relative_to(getattr(config, key))]
        if _leads_out(path) or set(path) & set("*?["):
            yield f"generated_code: {path!r} is no path from the rootdir, of one file"
        elif below or given.name == "conftest.py":
            yield f"generated_code: {path!r} belongs to what proves the plan, and is committed"


def _running(config: Config) -> Iterator[str]:
    for ref in config.running:
        if not _REF.fullmatch(ref):
            yield f"running: {ref!r} is no name of a commit, a branch or a tag"


def _twin(config: Config) -> Iterator[str]:
    """The URL itself is not shown: whoever has put a password into it has put it into a file."""
    if passwords_in(config.twin):
        yield "twin holds a password, or is no URL: a URL with one belongs to the variable HK_TWIN"


def _session(config: Config) -> Iterator[str]:
    known = names_to_choose()
    given: dict[str, object] = dict(config.session)  # as TOML has it
    for name, value in given.items():
        if name not in known:
            near = closest(name, known)
            yield f"session.{name} is no setting of a session that a project may choose{near}"
        elif not isinstance(value, str):
            yield f"session.{name} = {value!r} is {_called(value)}, not a string"


def _misplaced(config: Config, key: str, *, needed: bool) -> Iterator[str]:
    value = getattr(config, key)
    if _leads_out(value):
        yield f"{key} = {getattr(config, key)!r} does not lie under the rootdir"
    elif needed and not (config.root / value).is_dir():
        if key == "sql" and config.migrations and value == Config.sql:
            return  # the tool's files lie elsewhere, and nothing lies beside them
        said = key == "sql" and value == Config.sql
        beside = "; python -m pytest_housekeeping init writes it" if key == "checks" else ""
        beside = without_sql(ProjectFiles(config.root)) if said else beside
        yield f"{key} = {value!r}: there is no such folder{beside}"


def _leads_out(path: str) -> bool:
    given = PurePosixPath(path)
    return given.is_absolute() or ".." in given.parts
