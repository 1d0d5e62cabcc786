"""Where the identity of a session stands: in settings, or in the JSON that a setting holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pytest_housekeeping.declarations.toml import Problems, expect_keys

SETTING_NAME = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+")
_KIND = 'settings, which are written \'app.tenant_id\' or { setting = "…", path = ["…"] }'
_KEYS = {"setting": True, "path": True, "many": False}
# JSON's numbers beyond this one are read as another by some.
_WHOLE = re.compile(r"-?[1-9][0-9]{0,14}|0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One value of the context: that of a setting, or with a ``path`` the one that stands there in
    the setting's JSON. ``many``: it stands in a list there."""

    setting: str
    path: tuple[str, ...] = ()
    many: bool = False

    def __str__(self) -> str:
        return " ".join([self.setting, *("-> " + json.dumps(name) for name in self.path)])


# The values of the context that make up one identity.
Identity: TypeAlias = tuple[tuple[Claim, str], ...]
Settings: TypeAlias = tuple[tuple[str, str], ...]


def settings_of(context: Iterable[Claim], identity: Identity) -> Settings:
    """Every setting of the context as a session of the identity has it; ``''`` where it has none
    of its values."""
    given = dict(identity)
    found: dict[str, str] = {}
    documents: dict[str, dict[str, Any]] = {}
    for claim in context:
        found.setdefault(claim.setting, "")
        if claim not in given:
            continue
        if claim.path:
            _put(documents.setdefault(claim.setting, {}), claim, given[claim])
        else:
            found[claim.setting] = given[claim]
    texts = {setting: json.dumps(document) for setting, document in documents.items()}
    return tuple((found | texts).items())


def strangers_of(context: Iterable[Claim]) -> Iterator[tuple[str, Settings]]:
    """The contexts of sessions whose JSON is there and names nobody, each with its name; none where
    no JSON carries the identity."""
    claims = tuple(context)
    empty = dict.fromkeys((claim.setting for claim in claims), "")
    objects = empty | {claim.setting: "{}" for claim in claims if claim.path}
    lists: dict[str, dict[str, Any]] = {}
    for claim in claims:
        if claim.many:
            _at(lists.setdefault(claim.setting, {}), claim.path)[claim.path[-1]] = []
    if objects != empty:
        yield "{}", tuple(objects.items())
    if lists:
        texts = {setting: json.dumps(document) for setting, document in lists.items()}
        yield "{} with empty lists", tuple((objects | texts).items())


def parse_context(
    document: Mapping[str, Any], problems: Problems
) -> tuple[tuple[str, ...], tuple[Claim, ...]]:
    """The settings of ``context``, each once, and what stands in their JSON."""
    items = document.get("context")
    if items is None:
        return (), ()
    if not isinstance(items, list):
        problems.add(f"'context' of the file is {items!r}, not a list of {_KIND}")
        return (), ()
    found: list[Claim] = []
    for item in items:
        claim = _claim(item, problems) if isinstance(item, dict) else _plain(item, problems)
        if claim in found:
            problems.add(f"'context' of the file holds {item!r} more than once")
        elif claim is not None:
            found.append(claim)
    plain = {claim.setting for claim in found if not claim.path}
    for setting in sorted({claim.setting for claim in found if claim.path} & plain):
        problems.add(f"'context' of the file names {setting!r} with a path, and without one")
    return (
        tuple(dict.fromkeys(claim.setting for claim in found)),
        tuple(claim for claim in found if claim.path),
    )


def _plain(item: object, problems: Problems) -> Claim | None:
    if isinstance(item, str) and SETTING_NAME.fullmatch(item):
        return Claim(setting=item)
    problems.add(f"'context' of the file holds {item!r}, which is none of {_KIND}")
    return None


def _claim(item: Mapping[str, Any], problems: Problems) -> Claim | None:
    expect_keys(item, _KEYS, f"{item!r} in 'context'", problems)
    setting, path, many = item.get("setting"), item.get("path"), item.get("many", False)
    if not (isinstance(setting, str) and SETTING_NAME.fullmatch(setting)):
        problems.add(f"'setting' of {item!r} in 'context' is no setting such as 'app.claims'")
        return None
    if not (isinstance(path, list) and path and all(isinstance(n, str) and n for n in path)):
        problems.add(f"'path' of {item!r} in 'context' is no list of keys such as ['sub']")
        return None
    if not isinstance(many, bool):
        problems.add(f"'many' of {item!r} in 'context' is neither true nor false")
        return None
    return Claim(setting=setting, path=tuple(path), many=many)


def _put(document: dict[str, Any], claim: Claim, value: str) -> None:
    one: Any = int(value) if _WHOLE.fullmatch(value) else value
    _at(document, claim.path)[claim.path[-1]] = [one] if claim.many else one


def _at(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The object in which the last key of the path stands."""
    for name in path[:-1]:
        inner = document.setdefault(name, {})
        document = inner if isinstance(inner, dict) else document
    return document
