"""What psql does with a file before the server sees it: its commands, its variables, other files.

https://www.postgresql.org/docs/16/app-psql.html#APP-PSQL-META-COMMANDS
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.identifiers import in_quotes, text_literal
from pytest_housekeeping.sql.layouts.layout import Ground, Reading
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import Woven, decode

_PART = re.compile(
    r"""(?P<kept>(?<!\w)[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
        | (?<!\w)\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ | --[^\n]* | /\*.*?\*/)
      | (?P<command>^[ \t]*\\(?P<name>[A-Za-z_!?]+)(?P<rest>[^\n]*))
      | (?<![:\w]):(?:'(?P<literal>\w+)'|"(?P<identifier>\w+)"|(?P<bare>[^\W\d]\w*))""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_WORD = re.compile(r"'((?:[^']|'')*)'|`([^`]*)`|([^\s'`]+)")
_INCLUDES = ("i", "include", "ir", "include_relative")
# They change what is shown or guard the script itself: nothing of the database.
_HARMLESS = frozenset(
    ("echo", "qecho", "warn", "timing", "pset", "x", "restrict", "unrestrict", "errverbose")
)
# Variables of psql's own that only steer it; a failure ends the file here in any case.
_STEERING = frozenset(
    (
        "ON_ERROR_STOP",
        "QUIET",
        "ECHO",
        "ECHO_HIDDEN",
        "VERBOSITY",
        "SHOW_CONTEXT",
        "ON_ERROR_ROLLBACK",
    )
)
_RESTRICT = re.compile(r"^\\(?:un)?restrict[ \t]+\w+[ \t]*\r?$", re.MULTILINE)


def without_restrict(text: str) -> str:
    """The text of a dump without the two lines that tell psql to take no commands from it:
    https://www.postgresql.org/docs/16/app-pgdump.html#PG-DUMP-OPTIONS (``--restrict-key``)."""
    return _RESTRICT.sub("", text) if "restrict" in text else text


def as_psql_would(ground: Ground, path: str, text: str, *, home: str) -> Reading:
    """The text with its harmless commands taken out, its variables replaced, and the files that it
    includes in their places, looked for from ``home`` on; what is left of psql's own is refused by
    name when it is parsed."""
    if not ("\\" in text or (":" in text and ground.config.placeholders)):
        return Reading(text=text)
    weaver = _Weaver(ground=ground, home=home, variables=dict(ground.config.placeholders))
    lines = weaver.lines(path, text, within=(path,), place_in_file=("", 1))
    woven: str = "\n".join(line for line, _ in lines)
    if weaver.included:
        woven = Woven(woven, tuple(where for _, where in lines))
    return Reading(text=woven, problems=tuple(weaver.problems), told=tuple(weaver.told))


_Line = tuple[str, tuple[str, int]]


@dataclass(kw_only=True)
class _Weaver:
    """Puts a text together. ``variables`` grow by ``\\set``; ``included`` says whether any other
    file is part of it."""

    ground: Ground
    home: str
    variables: dict[str, str]
    included: bool = False
    problems: list[Problem] = field(default_factory=list)
    told: list[Problem] = field(default_factory=list)

    def lines(
        self, path: str, text: str, *, within: Sequence[str], place_in_file: tuple[str, int]
    ) -> list[_Line]:
        """The lines of a file as psql would send them, each with where it stands."""
        shown, first = place_in_file
        done: list[_Line] = []
        rest, at = "", 0
        line = first

        def put(piece: str) -> None:
            nonlocal rest, line
            *whole, rest = (rest + piece).split("\n")
            for each in whole:
                done.append((each, (shown, line)))
                line += 1

        for found in _PART.finditer(text):
            if found["kept"] is not None:
                continue
            put(text[at : found.start()])
            at = found.end()
            if found["command"] is None:
                put(self._value(found))
                continue
            included = self._command(path, text, found, within)
            if included is None:
                put(found[0])
            else:
                done += included
        put(text[at:])
        done.append((rest, (shown, line)))
        return done

    def _value(self, found: re.Match[str]) -> str:
        name = found["literal"] or found["identifier"] or found["bare"]
        if name not in self.variables:
            return found[0]
        value = self.variables[name]
        if found["literal"]:
            return text_literal(value)
        return in_quotes(value) if found["identifier"] else value

    def _command(
        self, path: str, text: str, found: re.Match[str], within: Sequence[str]
    ) -> list[_Line] | None:
        """What stands in the place of a command; None for one that is not understood."""
        name, words = found["name"], _words(found["rest"])
        if name in _INCLUDES and len(words) == 1:
            return self._include(path, text, found, words[0], within)
        if name == "set" and words and words[0] not in _STEERING:
            if words[0].isupper():
                return None
            return self._set(text, found, words)
        if name == "unset" and len(words) == 1 and words[0] not in _STEERING:
            return [] if self.variables.pop(words[0], None) is not None else None
        if name in _HARMLESS or (name in ("set", "unset") and words):
            self._tell(text, found, f"the psql command \\{name} is left out")
            return []
        return None

    def _set(self, text: str, found: re.Match[str], words: Sequence[str]) -> list[_Line]:
        """A value that the file gives; in the place of what a command of the shell would print the
        one of the settings, for what runs is in the commit."""
        name, settings = words[0], self.ground.config.placeholders
        if not any(command for _, command, _ in _WORD.findall(found["rest"])):
            self.variables[name] = "".join(words[1:])
        elif name in settings:
            self.variables[name] = settings[name]
            self._tell(text, found, f"the command behind \\set {name} is left out")
        else:
            self.problems.append(
                _problem(
                    text,
                    found,
                    f"what \\set gives {name} is printed by a command of the shell",
                    "nothing here runs it: what runs is in the commit",
                    f'under [tool.housekeeping.placeholders]: {name} = "…"',
                )
            )
            self.variables.pop(name, None)
        return []

    def _include(
        self, path: str, text: str, found: re.Match[str], named: str, within: Sequence[str]
    ) -> list[_Line] | None:
        relative = found["name"] in ("ir", "include_relative")
        base = posixpath.dirname(path) if relative else self.home
        target = posixpath.normpath(posixpath.join(base, named))
        why = ""
        if target in within:
            why = "includes itself"
        elif target.startswith(("../", "/")):
            why = "lies outside of the project, so no commit holds it"
        elif not self.ground.files.has(target):
            why = "is not there"
        if why:
            self._refuse(text, found, f"{target}, which is included here, {why}")
            return []
        try:
            content = decode(self.ground.files.read(target), target)
        except SqlFileError as error:
            self._refuse(text, found, error.found)
            return []
        self.included = True
        return self.lines(
            target, content.removesuffix("\n"), within=(*within, target), place_in_file=(target, 1)
        )

    def _refuse(self, text: str, found: re.Match[str], said: str) -> None:
        self.problems.append(
            _problem(
                text,
                found,
                said,
                "what it holds is a part of this file, and would be missing",
                "name a file of the repository: with \\ir it is looked for beside this one",
            )
        )

    def _tell(self, text: str, found: re.Match[str], said: str) -> None:
        self.told.append(_problem(text, found, said, "it changes nothing of the database", ""))


def _words(rest: str) -> list[str]:
    return [quoted.replace("''", "'") or bare for quoted, _, bare in _WORD.findall(rest)]


def _problem(text: str, found: re.Match[str], said: str, why: str, fix: str) -> Problem:
    return Problem.at(text, found.start("name") - 1, said, why, fix, unreadable=True)
