"""The databases of a fleet, as its file, its registry or its command lists them."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.config import PRODUCTION, Config, Fleet, Target
from pytest_housekeeping.declarations.fleets import MEMBER, chosen_fleet, member_target
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.promotion.production.target_address import open_production, read_address
from pytest_housekeeping.sql.identifiers import SIMPLE
from pytest_housekeeping.sql.text import passwords_in_urls

_KEYS = ("name", "database", "host", "port", "state", "names")
# A program that cannot reach its registry may say how it has tried.
_IN_URL = passwords_in_urls()
_AS_KEY = re.compile(r"""(password['"]?\s*[=:]\s*)('[^']*'|"[^"]*"|[^\s,;)]+)""", re.IGNORECASE)
_WHY = "what is not listed as it is would be promoted as another one, or not at all"
_PATIENCE_S = 60
_LAST_PORT = 65535
_LONGEST = 100


class State(StrEnum):
    """What a database is in. One that is being made starts with all files; one that is archived
    stays as it is."""

    LIVE = "live"
    MAKING = "making"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetDatabase:
    """One of the list. ``name`` is its own in the fleet; where ``host`` is "" it is on the server
    of the fleet's variables. ``names`` of it differ from those of the others, by what they stand
    for; ``known`` are those of all."""

    name: str
    database: str
    host: str = ""
    port: int = 0
    state: State = State.LIVE
    names: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def target(self, fleet: Fleet, audit: str) -> Target:
        """It as a target; ``audit`` is the folder of production's evidence."""
        made = member_target(fleet, self.name, audit)
        return replace(
            made,
            database=self.database,
            host=self.host,
            port=self.port,
            names=self.names,
            neighbours=sorted(self.known - {*self.names.values()}),
        )


def read_databases(config: Config, fleet: Fleet) -> tuple[FleetDatabase, ...]:
    """All of them, by name. Raises MisuseError for a list that cannot be had, names none, or names
    one of them twice."""
    try:
        entries = list(_listed(config, fleet))
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError, psycopg.Error) as error:
        said = str(error).strip() or type(error).__name__
        raise _unusable(fleet, f"the list cannot be had: {said}") from None
    found = tuple(sorted(_read(fleet, entries), key=lambda each: each.name))
    # Where case counts for nothing, two names would be one folder of evidence.
    for key in (lambda each: each.name.casefold(), _place):
        if errors := [" and ".join(names) for names in _alike(found, key) if len(names) > 1]:
            raise _unusable(fleet, f"listed twice: {', '.join(errors)}")
    if not found:
        raise _unusable(fleet, "the list is empty")
    keys = {each.name: sorted(each.names) for each in found}
    for name, declared in keys.items():
        if declared != keys[found[0].name]:
            said = f"names has {declared or 'nothing'}, and that of {found[0].name}"
            raise _unusable(fleet, f"{name}: {said} {keys[found[0].name] or 'nothing'}")
    known = frozenset(name for each in found for name in each.names.values())
    return tuple(replace(each, known=known) for each in found)


def located(config: Config) -> Config:
    """The settings with the place of their target, where it is one of a fleet.

    Raises MisuseError where the list does not have it.
    """
    if not config.target.fleet:
        return config
    fleet = chosen_fleet(config.fleets, config.target.fleet)
    name = config.target.name.partition("/")[2]
    listed = {each.name: each for each in read_databases(config, fleet)}
    if name not in listed:
        raise MisuseError(
            f"--hk-target={config.target.name}: the fleet {fleet.name} has no database of that"
            f" name{closest(name, listed)}",
            why=_WHY,
            fix=f"python -m pytest_housekeeping status --hk-fleet={fleet.name} lists them",
        )
    audit = config.targets[PRODUCTION].audit
    return replace(config, target=listed[name].target(fleet, audit))


def _listed(config: Config, fleet: Fleet) -> Iterable[object]:
    if fleet.query:
        return _of_registry(config, fleet)
    if fleet.command:
        return _lines(fleet, _printed(config, fleet))
    return _lines(fleet, (config.root / fleet.databases).read_bytes())


def _printed(config: Config, fleet: Fleet) -> bytes:
    """What the command prints; neither it nor what it has started is waited for without end."""
    with subprocess.Popen(
        fleet.command,
        cwd=config.root,
        env=usual_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            printed, complaint = process.communicate(timeout=_PATIENCE_S)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip()
        said = _IN_URL.sub(lambda url: url[0].replace(f":{url[1]}@", ":***@"), said)
        said = _AS_KEY.sub(r"\1***", said)[-500:]
        called = shlex.join(fleet.command)
        raise _unusable(fleet, f"{called} ended with {process.returncode}: {said}")
    return printed


def _lines(fleet: Fleet, content: bytes) -> Iterable[object]:
    """A JSON array of names or objects, or a name a line. Raises UnicodeDecodeError."""
    text = content.decode("utf-8-sig")
    if text.lstrip().startswith(("[", "{")):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise _unusable(fleet, f"the list is no JSON: {error}") from None
        if not isinstance(found, list):
            raise _unusable(fleet, "the list is JSON, and no array of names or objects")
        return found
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _of_registry(config: Config, fleet: Fleet) -> Iterator[Mapping[str, Any]]:
    """The rows of the query, in a session that can change nothing."""
    address = read_address(os.environ, Target(name=f"{fleet.name}'s registry", env=fleet.registry))
    connection = open_production(address, config.session)
    try:
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = '{_PATIENCE_S}s'".encode())
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(fleet.query.encode()).fetchall()
    finally:
        connection.close()
    yield from rows


def _read(fleet: Fleet, entries: Sequence[object]) -> Iterator[FleetDatabase]:
    """Raises MisuseError that names every entry that cannot be used; of what may hold a password
    it shows nothing."""
    wrong = []
    for number, entry in enumerate(entries, start=1):
        try:
            found = _database({"name": entry} if isinstance(entry, str) else entry)
            if found.name == posixpath.basename(fleet.audit):
                own = f"{found.name!r} cannot be its name: {fleet.audit} is the fleet's own"
                raise ValueError(f'{own}; an object gives it another: {{"name": "…"}}')
            yield found
        except (ValueError, TypeError) as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            wrong.append(f"{name if _is_name(name) else f'entry {number}'}: {error}")
    if wrong:
        raise _unusable(fleet, "; ".join(wrong))


def _database(given: object) -> FleetDatabase:
    """Raises ValueError and TypeError for what is none."""
    if not isinstance(given, dict) or "name" not in given:
        raise TypeError(f"it is no name, and no object of {', '.join(_KEYS)}")
    for key in given:
        if key not in _KEYS:
            raise ValueError(f"unknown key {key!r}{closest(str(key), _KEYS)}")
    name, state = given["name"], given.get("state") or State.LIVE
    if not isinstance(name, str):
        raise TypeError(f"its name is no text but {name!r}: a registry's id is cast, id::text")
    if "://" in name or "=" in name:
        raise ValueError(f"a connection string is no name; an object says it: {', '.join(_KEYS)}")
    if not _is_name(name):
        database = json.dumps(str(given.get("database") or name), ensure_ascii=False)
        raise ValueError(
            f"{name[:120]!r} can name no folder and no branch: at most {_LONGEST} letters, digits,"
            " '-', '_', '.', and not"
            f' .lock at the end; give it one: {{"name": "…", "database": {database}}}'
        )
    if state not in [*State]:
        raise ValueError(f"state = {state!r} is none of {', '.join(State)}")
    return FleetDatabase(
        name=name,
        database=_text(given, "database") or name,
        host=_text(given, "host"),
        port=_port(given.get("port") or 0),
        state=State(state),
        names=_names(given.get("names") or {}),
    )


def _text(given: Mapping[str, Any], key: str) -> str:
    """Raises TypeError and ValueError for what leads nowhere, or elsewhere than it seems."""
    value = given.get(key) or ""
    if isinstance(value, int | float | list | dict):
        raise TypeError(f"{key} = {value!r} is no text")
    text = str(value)
    if "://" in text or "=" in text:
        raise ValueError(f"a connection string is no {key}; an object says it: {', '.join(_KEYS)}")
    # libpq reads an address up to a NUL, and what stands behind it would be lost.
    if not text.isprintable():
        raise ValueError(f"{key} = {text!r} holds what nobody can read")
    return text


def _port(given: object) -> int:
    """Raises ValueError."""
    text = str(given)
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise ValueError(f"port = {given!r} is no port")
    return int(text)


def _is_name(name: object) -> bool:
    """Whether it can be a folder, and a part of a branch's name."""
    fits = isinstance(name, str) and len(name) <= _LONGEST and MEMBER.fullmatch(name)
    return bool(fits) and not str(name).endswith(".lock")


def _names(given: object) -> Mapping[str, str]:
    """Raises ValueError for what can be told from no other word, or stands for two things."""
    if not isinstance(given, dict):
        raise TypeError(f"names = {given!r} is no object")
    # What PostgreSQL prints in quotes here and not there is not alike.
    for key, name in given.items():
        if not (isinstance(name, str) and SIMPLE.fullmatch(name) and SIMPLE.fullmatch(str(key))):
            raise ValueError(f"names: {key} = {name!r} is no plain lower-case identifier")
    if len({*given.values()}) < len(given):
        raise ValueError("names: two keys have one name")
    return given


def _place(database: FleetDatabase) -> str:
    return f"{database.host}:{database.port}/{database.database}"


def _alike(
    found: Sequence[FleetDatabase], key: Callable[[FleetDatabase], str]
) -> Iterable[list[str]]:
    """The names of those that have the same."""
    names: dict[str, list[str]] = {}
    for each in found:
        names.setdefault(key(each), []).append(each.name)
    return names.values()


def _unusable(fleet: Fleet, found: str) -> MisuseError:
    return MisuseError(f"fleet {fleet.name}: {found}", why=_WHY, fix="correct the list")
