"""Placeholders of the drivers, ``%s``, ``%(x)s``, ``:x``, ``?``, written as PostgreSQL's ``$1``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.sqltext.template import Hole, Template

# Quoted texts and comments come first: what looks like a placeholder in them is none.
_TOKEN = re.compile(
    r"(?P<skip>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"
    r"|--[^\n]*|/\*.*?\*/|::)"
    r"|(?P<hole>\ue000\d+\ue001)"
    r"|(?P<named>%\((?P<key>\w+)\)[sbt])"
    r"|(?P<colon>(?<![\w:\[]):(?P<name>[A-Za-z_]\w*))"
    # pg-promise: a value without a modifier; with one, such as :name, it is no value.
    r"|(?P<promise>\$(?:\{(?P<p1>\w+)\}|\((?P<p2>\w+)\)|<(?P<p3>\w+)>|\[(?P<p4>\w+)\]))"
    r"|(?P<format>%[sbt](?!\w))"
    r"|(?P<percent>%%)"
    r"|(?P<mark>(?<![?|&@#<>*/=~!-])\?(?![?|&@#<>*/=~!-]))"
    r"|(?P<dollar>\$\d+)",
    re.DOTALL,
)
# Holes are parameters too, numbered from here so that they are told from the code's own.
HOLE_BASE = 9000
# What stands for a name that is known at run time only.
RUN_TIME_NAME = "hk_run_time"
# A question mark between two operands is an operator of jsonb and not a placeholder.
_OPERAND = re.compile(r"[\w)'\"\]]\s*$")
_AFTER_OPERAND = re.compile(
    r"(?i)(?:\b(?:and|or|not|in|any|values|limit|offset|where|set|like|ilike|between|by|then|else"
    r"|when|select|on|is|return|returning|interval|from|join|into|update|table|as))\s*$"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalizedText:
    """A text with ``$n`` for placeholders, and a mark where each hole is.

    The mark is the hole's number between two characters of Unicode's private use area.
    ``placeholders``: how many stand in the text.
    """

    text: str
    holes: tuple[Hole, ...]
    placeholders: int


def normalize(template: Template) -> NormalizedText:
    """Write every placeholder as a parameter; holes inside quotes become a plain character."""
    text, holes = _marked(template)
    named: dict[str, int] = {}
    count = max((int(n) for n in re.findall(r"\$(\d+)", text)), default=0)
    found = 0
    out: list[str] = []
    end = 0
    for match in _TOKEN.finditer(text):
        out.append(text[end : match.start()])
        end = match.end()
        if match["skip"] is not None:
            out.append(re.sub("\ue000\\d+\ue001", "0", match[0]).replace("%%", "%"))
        elif match["percent"]:
            out.append("%")
        elif match["hole"] or (match["mark"] and _is_operator(text, match.start())):
            out.append(match[0])
        else:
            found += 1
            key = _key(match) or f"\0{found}"
            if not match["dollar"] and key not in named:
                count += 1
                named[key] = count
            out.append(match[0] if match["dollar"] else f"${named[key]}")
    out.append(text[end:])
    return NormalizedText(text="".join(out), holes=holes, placeholders=found)


def filled(text: str, fillings: Sequence[str]) -> str:
    """The text with each hole replaced."""
    return re.sub("\ue000(\\d+)\ue001", lambda m: fillings[int(m[1])], text)


def renumbered(text: str) -> str:
    """The parameters of one statement counted from 1: PREPARE asks for every number between."""
    numbers: dict[str, int] = {}

    def again(match: re.Match[str]) -> str:
        if not match["dollar"]:
            return match[0]
        return f"${numbers.setdefault(match[0], len(numbers) + 1)}"

    return _TOKEN.sub(again, text) if "$" in text else text


def _key(match: re.Match[str]) -> str:
    """The name of a placeholder that has one: the same name is the same parameter."""
    groups = ("key", "name", "p1", "p2", "p3", "p4")
    return next((match[group] for group in groups if match[group]), "")


def _marked(template: Template) -> tuple[str, tuple[Hole, ...]]:
    out: list[str] = []
    holes: list[Hole] = []
    for part in template:
        if isinstance(part, Hole):
            out.append(f"\ue000{len(holes)}\ue001")
            holes.append(part)
        else:
            out.append(part)
    return "".join(out), tuple(holes)


def _is_operator(text: str, at: int) -> bool:
    """Whether a question mark asks jsonb for a key: it has an operand on either side."""
    before = text[:at]
    after = text[at + 1 :].lstrip()
    if not _OPERAND.search(before) or _AFTER_OPERAND.search(before):
        return False
    return bool(re.match(r"['\"\w$(%]", after)) and not re.match(
        r"(?i)(?:and|or|limit|order|group|returning|on|as|from|where|then|end|for|offset)\b", after
    )
