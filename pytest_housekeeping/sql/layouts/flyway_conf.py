"""What Flyway is told in ``flyway.conf`` or ``flyway.toml``: where its files are and how they read.

https://documentation.red-gate.com/fd/flyway-namespace-277579073.html
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.project_files import ProjectFiles, upwards

NAMES = ("flyway.toml", "flyway.conf", "conf/flyway.toml", "conf/flyway.conf")
# Where a build puts what Java finds on its classpath.
_RESOURCES = ("src/main/resources", "resources", "src/main")
_PREFIXES = {
    "V": "sqlmigrationprefix",
    "U": "undosqlmigrationprefix",
    "R": "repeatablesqlmigrationprefix",
    "B": "baselinemigrationprefix",
}
# What it does to a database, and nothing here does; and what would find other files.
_REFUSED = {
    "initsql": "statements that run on every connection",
    "callbacks": "callbacks in Java",
    "callbacklocations": "folders of callbacks",
    "resolvers": "migrations in Java",
    "javamigrationclassprovider": "migrations in Java",
    "cherrypick": "a choice of migrations",
}
_AFFIXES = ("placeholderprefix", "placeholdersuffix", "placeholderreplacement", "mixed")


@dataclass(frozen=True, kw_only=True)
class FlywayConf:
    """What was read of it; ``path`` is "" where there is none, ``folder`` where it lies."""

    path: str = ""
    folder: str = ""
    said: Mapping[str, str] = field(default_factory=dict)
    locations: tuple[str, ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[SqlFileError, ...] = ()

    def prefix(self, kind: str) -> str:
        """What names of a kind begin with: V, U, R or B."""
        return self.said.get(_PREFIXES[kind], kind)

    @property
    def separator(self) -> str:
        """What stands between the version and the description."""
        return self.said.get("sqlmigrationseparator", "__")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What names end with."""
        said = self.said.get("sqlmigrationsuffixes", ".sql")
        return tuple(each.strip() for each in said.split(","))

    @property
    def table(self) -> str:
        """Where it remembers what it has applied, as the settings name it; "" where that is not
        said."""
        schema = self.said.get("defaultschema") or self.said.get("schemas", "").split(",")[0]
        table = self.said.get("table", "flyway_schema_history" if schema else "")
        return ".".join(filter(None, (schema.strip(), table)))


def flyway_conf(files: ProjectFiles, folder: str) -> FlywayConf:
    """The nearest configuration, in the folder or above it."""
    for place in upwards(folder):
        for name in NAMES:
            path = posixpath.join(place, name)
            if files.has(path):
                return _read(files, path, place)
    return FlywayConf()


def _read(files: ProjectFiles, path: str, place: str) -> FlywayConf:
    try:
        text = files.read(path).decode()
        said = dict(_of_toml(text) if path.endswith(".toml") else _of_conf(text))
    except (OSError, ValueError) as error:
        return FlywayConf(
            path=path, errors=(_wrong(path, f"cannot be read: {error}", "correct it"),)
        )
    names = {key.partition(".")[2]: said.pop(key) for key in list(said) if "placeholders." in key}
    folded = {key.lower(): value for key, value in said.items()}
    own = {f"flyway:{key}": folded[key] for key in _AFFIXES if key in folded}
    locations, errors = [], list(_refused(path, folded))
    for each in filter(None, (part.strip() for part in folded.get("locations", "").split(","))):
        found = _location(files, place, each)
        if found is None:
            errors.append(_wrong(path, f"names the location {each}", _LOCATE))
        else:
            locations.append(found)
    return FlywayConf(
        path=path,
        folder=place,
        said=folded,
        locations=tuple(dict.fromkeys(locations)),
        placeholders={**names, **own},
        errors=tuple(errors),
    )


_LOCATE = "name a folder of the repository that is there: filesystem:db/migration"


def _refused(path: str, said: Mapping[str, str]) -> Iterator[SqlFileError]:
    for key, what in _REFUSED.items():
        if said.get(key):
            yield _wrong(
                path, f"says {key}, {what}", "put what it does into a migration, and the key out"
            )
    if said.get("encoding", "utf-8").lower().replace("-", "") != "utf8":
        yield _wrong(path, f"says encoding = {said['encoding']}", "save the files as UTF-8")
    others = [each for each in said.get("sqlmigrationsuffixes", "").split(",") if each.strip()]
    if any(not each.strip().endswith(".sql") for each in others):
        yield _wrong(
            path,
            f"says sqlMigrationSuffixes = {said['sqlmigrationsuffixes']}",
            "let the names end in .sql",
        )


def _location(files: ProjectFiles, place: str, said: str) -> str | None:
    """A folder from the root; None for one that is not there, or is no folder of the project."""
    kind, _, path = said.rpartition(":")
    tops = [place] if kind in ("", "filesystem") else []
    if kind in ("", "classpath"):
        tops += [posixpath.join(place, each) for each in _RESOURCES]
    if any(sign in path for sign in "*?["):
        return None
    for top in tops:
        found = posixpath.normpath(
            posixpath.join(top, path.strip("/") if kind != "filesystem" else path)
        )
        if not found.startswith(("/", "..")) and (files.root / found).is_dir():
            return "" if found == "." else found
    return None


def _of_conf(text: str) -> Iterator[tuple[str, str]]:
    """Lines ``flyway.key=value``, as Java's properties have them."""
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith(("#", "!")):
            yield key.strip().removeprefix("flyway."), value.strip()


def _of_toml(text: str) -> Iterator[tuple[str, str]]:
    known: Mapping[str, Any] = tomllib.loads(text).get("flyway", {})
    for key, value in known.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", str(each)) for name, each in value.items())
        elif isinstance(value, list):
            yield key, ",".join(map(str, value))
        else:
            yield key, str(value).lower() if isinstance(value, bool) else str(value)


def _wrong(path: str, said: str, fix: str) -> SqlFileError:
    why = "files would be read otherwise than Flyway reads them"
    return SqlFileError(f"{path} {said}", why=why, fix=fix)
