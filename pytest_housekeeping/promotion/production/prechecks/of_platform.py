"""What of a difference belongs to the provider: a preset says what its servers have, not all of how
it is there today."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

# Where an object stands: on a table, in a schema, or by its own name without its arguments.
_PLACES = (
    re.compile(r"(?:policy|trigger|constraint|rule|statistics) .* on (\S+)", re.DOTALL),
    re.compile(r"default privileges for .* in (\S+) on \w+"),
    re.compile(r"[^(]*? ([^ (]+)(?:\(.*)?", re.DOTALL),
)
_OWNER = re.compile(r"^owner: (\S+)$", re.MULTILINE)
_CALLED = re.compile(r"EXECUTE FUNCTION ([^.\s]+)\.")
_FOR_ROLE = re.compile(r"default privileges for (\S+) ")
_ITS_OWN = ("extension ", "event trigger ")


@dataclass(frozen=True, kw_only=True)
class OfPlatform:
    """What a preset has ``made`` of an empty database before any file of the project ran, each
    object's text by its name; what preset and files have made together; and the ``schemas`` that
    are the provider's, there or in production."""

    made: Mapping[str, str]
    together: Mapping[str, str]
    schemas: frozenset[str]
    promoter: str

    def owns(self, difference: Difference) -> bool:
        """Whether the provider has it otherwise than the preset, and no file had to do with it.

        A policy, a trigger that calls a function of the project, and whatever the files make there
        are the project's, on whose table they stand or not.
        """
        name, alone = difference.name, difference.change is Change.ADDED
        if _schema(name) not in self.schemas:
            if alone:
                return name.startswith(_ITS_OWN) or self._is_of_another_role(name)
            return name in self.made and self.made[name] == self.together.get(name)
        if alone and name.startswith("trigger "):
            called = _CALLED.search(difference.after)
            return called is not None and called[1] in self.schemas
        if alone:
            return not name.startswith("policy ")
        return name in self.made

    def _is_of_another_role(self, name: str) -> bool:
        found = _FOR_ROLE.match(name)
        return found is not None and found[1] != self.promoter


def of_platform(
    made: Fingerprint, together: Fingerprint, production: Fingerprint, promoter: str
) -> OfPlatform:
    """Read off the fingerprints of the preset alone, of preset and files, and of production."""
    first, both, there = made.texts, together.texts, production.texts
    schemas = {name for name in first if name.startswith("schema ")}
    schemas |= {
        name
        for name, text in there.items()
        if name.startswith("schema ") and name not in both and _owner(text) != promoter
    }
    return OfPlatform(
        made=first,
        together=both,
        schemas=frozenset(name.removeprefix("schema ") for name in schemas) - {"public"},
        promoter=promoter,
    )


def _owner(text: str) -> str:
    found = _OWNER.search(text)
    return found[1] if found else ""


def _schema(name: str) -> str:
    for place in _PLACES:
        if found := place.fullmatch(name):
            return found[1].split(".", 1)[0]
    return ""
