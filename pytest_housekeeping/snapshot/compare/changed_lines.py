"""The texts of an object before and after a change, in words: `not null → null`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

_KEY = re.compile(r"([a-z][a-z ()]*): ")
_FIELD = re.compile(r"[a-z][a-z ()]*: |grant |set |by |[a-z][a-z ]*$|[A-Z]+$")
_LONG = 160
_LINES = 12
# A line that is there or not; the other side's word where "none" would mislead.
_OPPOSITES = {"not null": "null", "restrictive": "permissive", "trusted": "not trusted"}


def before_and_after(before: str, after: str) -> str:
    """What a change has made of the lines of an object, joined by semicolons.

    A text of several lines, as a function's body, is told in those that went (``- ``) and came.
    """
    old, new = before.splitlines(), after.splitlines()
    went, came = _only(old, new), _only(new, old)
    if len(old) == len(new) == 1 and not _FIELD.match(before) and _longest(old, new) <= _LONG:
        return f"{before} → {after}"
    if any(not _is_field(line) for line in (*went, *came)) or _longest(went, came) > _LONG:
        return _as_lines(old, new)
    told = list(_pairs(went, came))
    more = [f"and {len(told) - _LINES} more lines"] if len(told) > _LINES else []
    return "; ".join((*told[:_LINES], *more))


def shortened(text: str) -> str:
    """The first lines of an object that came or went, as far as they fit on one.

    Lines are whole or left out: half a secret is found by nobody who looks for it. The body of a
    function, which goes over several, is left out.
    """
    shown, length = [], 0
    for line in text.splitlines():
        length += len(line)
        if length > _LONG or not _FIELD.match(line):
            break
        shown.append(line)
    return "; ".join(shown)


def _only(lines: list[str], others: list[str]) -> list[str]:
    return [line for line in lines if line not in others]


def _longest(*lines: list[str]) -> int:
    return max((len(line) for each in lines for line in each), default=0)


def _is_field(line: str) -> bool:
    """Whether a line stands for itself: `type: bigint`, `not null`, `SUPERUSER`, `grant …`."""
    return bool(_FIELD.match(line))


def _as_lines(old: list[str], new: list[str]) -> str:
    found = [line for line in difflib.ndiff(old, new) if line.startswith(("- ", "+ "))]
    more = [f"… and {len(found) - _LINES} more lines"] if len(found) > _LINES else []
    return "\n".join(("- before, + after", *found[:_LINES], *more))


def _pairs(went: list[str], came: list[str]) -> Iterator[str]:
    """A line that went with the one that came in its place; each line is told once."""
    left = list(came)
    for line in went:
        if line.startswith("grant "):
            yield f"revoked {line.removeprefix('grant ').replace(' to ', ' from ', 1)}"
            continue
        instead = next((each for each in left if _key(each) == _key(line)), None)
        if instead is not None:
            left.remove(instead)
        yield _told(line, instead)
    for line in left:
        if line.startswith("grant "):
            yield f"granted {line.removeprefix('grant ')}"
        else:
            yield _told(None, line)


def _key(line: str) -> str:
    """What a line is about: `type` of `type: bigint`, `SUPERUSER` of `NOSUPERUSER`."""
    if match := _KEY.match(line):
        return match[1]
    return line.removeprefix("NO").partition(",")[0]


def _told(before: str | None, after: str | None) -> str:
    known = before or after or ""
    match = _KEY.match(known)
    if match is None:
        opposite = _OPPOSITES.get(known, "none")
        return f"{before or opposite} → {after or opposite}"
    was, now = (line[match.end() :] if line else "none" for line in (before, after))
    return f"{match[0]}{was} → {now}"
