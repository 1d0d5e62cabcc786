"""The settings: ``[tool.housekeeping]`` of the rootdir's pyproject.toml, checked as a whole."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pytest_housekeeping.errors import MisuseError

_DURATION = re.compile(r"[1-9]\d*(ms|s|min|h)")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the project allows; every key has a default but none that lets a check pass.

    Durations are PostgreSQL's: a number with ``ms``, ``s``, ``min`` or ``h``.
    """

    root: Path
    sql: str = "sql"
    checks: str = "checks"
    audit: str = "ops/audit"
    migrator: str = "hk_migrator"
    server: str = "embedded"
    server_version: int = 16
    history_schema: str = "housekeeping"
    lock_timeout: str = "5s"
    statement_timeout: str = "15min"
    idle_timeout: str = "5min"
    lock_wait: str = "30s"
    max_locks_held: float = 0.0
    lint: bool = True
    require_staging_evidence: bool = True
    mutation_score: float = 0.0
    require_rollback: bool = False
    incident_on_failure: bool = False

    def folder(self, name: str) -> Path:
        """``sql/<name>`` under the root."""
        return self.root / self.sql / name


def load(root: Path) -> Config:
    """Read and check the settings. Raises MisuseError that names every error at once."""
    path = root / "pyproject.toml"
    table = _table(path)
    errors: list[str] = []
    values: dict[str, Any] = {}
    for key, value in table.items():
        field = _KEYS.get(key)
        if field is None:
            errors.append(f"unknown key {key!r}{_closest(key)}")
        elif not _fits(value, field.type):
            errors.append(f"{key} = {value!r} is {_toml_type(value)}, not {_toml_name(field.type)}")
        else:
            values[key] = value
    config = Config(root=root, **values)
    errors += _invalid(config)
    if errors:
        raise MisuseError(
            f"[tool.housekeeping] in {path.name}: " + "; ".join(errors),
            why="a setting that is misread could let a check pass that never ran",
            fix="correct the keys named; docs/configuration.md lists them all",
        )
    return config


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MisuseError(
            f"{path.name} cannot be read: {error}",
            why="the settings of the promotion stand in it",
            fix="correct the file",
        ) from None
    table = document.get("tool", {}).get("housekeeping", {})
    if not isinstance(table, dict):
        raise MisuseError(
            f"tool.housekeeping in {path.name} is no table", fix="write [tool.housekeeping]"
        )
    return table


_KEYS = {field.name: field for field in fields(Config) if field.name != "root"}
_TYPES: dict[Any, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
}
_NAMES: dict[Any, str] = {
    "str": "a string",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
}


def _fits(value: object, annotation: Any) -> bool:
    if isinstance(value, bool):
        return bool(annotation == "bool")
    return isinstance(value, _TYPES[annotation])


def _toml_name(annotation: Any) -> str:
    return _NAMES[annotation]


def _toml_type(value: object) -> str:
    return _NAMES.get(type(value).__name__, f"a {type(value).__name__}")


def _closest(key: str) -> str:
    found = difflib.get_close_matches(key, _KEYS, n=1)
    return f" (did you mean {found[0]!r}?)" if found else f" (known: {', '.join(_KEYS)})"


def _invalid(config: Config) -> list[str]:
    errors = []
    if config.server not in ("embedded", "system"):
        errors.append(f'server = {config.server!r} is neither "embedded" nor "system"')
    if config.server == "embedded" and config.server_version not in (16, 18):
        errors.append(f"server_version = {config.server_version}: the embedded server is 16 or 18")
    errors += [
        f'{key} = {getattr(config, key)!r} is no duration above zero, such as "5s"'
        for key in ("lock_timeout", "statement_timeout", "idle_timeout", "lock_wait")
        if not _DURATION.fullmatch(getattr(config, key))
    ]
    errors += [
        f"{key} = {getattr(config, key)!r} is no plain lower-case identifier"
        for key in ("migrator", "history_schema")
        if not _IDENTIFIER.fullmatch(getattr(config, key))
    ]
    errors += [error for key in ("sql", "checks", "audit") for error in _misplaced(config, key)]
    if not config.max_locks_held >= 0:
        errors.append("max_locks_held is below 0, or no number")
    if not 0 <= config.mutation_score <= 1:
        errors.append(f"mutation_score = {config.mutation_score} is no share from 0 to 1")
    return errors


def _misplaced(config: Config, key: str) -> list[str]:
    value = Path(getattr(config, key))
    if value.is_absolute() or ".." in value.parts:
        return [f"{key} = {getattr(config, key)!r} does not lie under the rootdir"]
    if key != "audit" and not (config.root / value).is_dir():
        return [f"{key} = {getattr(config, key)!r}: there is no such folder"]
    return []
