"""Read declarations from TOML strictly: every unknown key and wrong type, raised together."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from pytest_housekeeping.errors import MisuseError, did_you_mean
from pytest_housekeeping.sql.text import passwords_in_urls

_IN_A_URL = passwords_in_urls()


class Problems:
    """Gathers what is wrong in one file, so that it is raised once and as a whole."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._found: list[str] = []

    def add(self, text: str) -> None:
        """A URL that was put where none belongs is told without its password."""
        self._found.append(_IN_A_URL.sub(lambda url: url[0].replace(f":{url[1]}@", "@"), text))

    def raise_any(self, *, why: str, fix: str = "") -> None:
        """Raise MisuseError when anything was added."""
        if self._found:
            raise MisuseError(
                f"{self.path} cannot be used:\n" + "\n".join(f"  - {text}" for text in self._found),
                why=why,
                fix=fix
                or f"correct {self.path}; nothing was run. All keys, with examples:"
                " python -m pytest_housekeeping docs checks",
            )


def read_toml(text: str, problems: Problems) -> Mapping[str, Any]:
    """The file's tables, or nothing and a problem that names line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add(f"it is not TOML: {error}")
        return {}


def read_declaration(text: str, keys: Mapping[str, bool], problems: Problems) -> Mapping[str, Any]:
    """The tables of a file that has to say something, and whose keys are known."""
    document = read_toml(text, problems)
    if document:
        expect_keys(document, keys, "the file", problems)
    elif not text.strip():
        problems.add("it is empty")
    return document


def closest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or the names that there are."""
    if near := did_you_mean(name, known, spell=repr):
        return near
    names = sorted(known) if isinstance(known, Set) else list(known)
    return f" (known: {', '.join(names)})" if names else ""


def expect_keys(
    table: Mapping[str, Any], known: Mapping[str, bool], where: str, problems: Problems
) -> None:
    """Every key of the table is known, and every required one (True) is there."""
    for key in table:
        if key not in known:
            problems.add(f"{where} has an unknown key {key!r}{closest(key, known)}")
    for key, required in known.items():
        if required and key not in table:
            problems.add(f"{where} has no {key!r}")


def text_of(table: Mapping[str, Any], key: str, where: str, problems: Problems) -> str:
    """A string that says something."""
    value = table.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.strip():
        problems.add(f"{key!r} of {where} is {value!r}, not a text")
        return ""
    return value


def texts_of(
    table: Mapping[str, Any],
    key: str,
    where: str,
    problems: Problems,
    *,
    valid: Callable[[str], bool] = lambda value: bool(value.strip()),
    kind: str = "names",
    may_be_empty: bool = False,
) -> tuple[str, ...]:
    """A list of strings without repetition."""
    value = table.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.add(f"{key!r} of {where} is {value!r}, not a list of {kind}")
        return ()
    if not value and not may_be_empty:
        problems.add(f"{key!r} of {where} is empty")
    good = [item for item in value if isinstance(item, str) and valid(item)]
    for item in value:
        if item not in good:
            problems.add(f"{key!r} of {where} holds {item!r}, which is none of {kind}")
    for item in sorted({item for item in good if good.count(item) > 1}):
        problems.add(f"{key!r} of {where} holds {item!r} more than once")
    return tuple(dict.fromkeys(good))


def tables_of(
    table: Mapping[str, Any], key: str, problems: Problems
) -> Sequence[Mapping[str, Any]]:
    """A list of tables: ``[[key]]``."""
    value = table.get(key, [])
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    problems.add(f"{key!r} is written [[{key}]], a list of tables")
    return []


def named_tables_of(
    table: Mapping[str, Any], key: str, problems: Problems
) -> Mapping[str, Mapping[str, Any]]:
    """Tables by name: ``[key.name]``."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        problems.add(f"{key!r} is written [{key}.<name>], a table for each name")
        return {}
    good = {name: item for name, item in value.items() if isinstance(item, dict)}
    for name in value:
        if name not in good:
            problems.add(f"{key}.{name} is not a table: write [{key}.{name}]")
    return good


def toml_key(name: str) -> str:
    """A name as a key of TOML: in quotes unless it is all letters, digits, ``_`` and ``-``."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_string(name)


def toml_string(value: str) -> str:
    """A basic string of TOML, which JSON's strings are."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
