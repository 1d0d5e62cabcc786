"""The digest that a promotion is bound to, and the part by which a difference from it is named.

It is a sha256 over all parts, behind which stands a short form of each. The sha256 decides; the
short forms only say which part is another one, also where nothing but the digest has come along: on
a command line, in a workflow's input, in an approval.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields

from pytest_housekeeping.errors import MisuseError

_SHORT = 6
_SHAPE = re.compile(rf"[0-9a-f]{{64}}-(?:[0-9a-f]{{{_SHORT}}})+")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundParts:
    """What a promotion is, each part as lines: what runs (``files``) on top of what (``history``),
    how it is judged (``checks``), by which Python (``code``), in which sessions (``settings``),
    with which options that change what is proved, on which database (``target``), whose schema it
    finds (``before``) and leaves (``after``), and by which ``version`` of this tool.

    The fields are in the order of the short forms: a new one is added at the end.
    """

    files: tuple[str, ...]
    history: tuple[str, ...]
    checks: tuple[str, ...]
    code: tuple[str, ...]
    settings: tuple[str, ...]
    options: tuple[str, ...]
    target: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    version: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Lower-case hexadecimal digits and one ``-``; no shell changes it."""
        digests = [_sha256(json.dumps(getattr(self, part))) for part in PARTS]
        named = "".join(f"{part} {each}\n" for part, each in zip(PARTS, digests, strict=True))
        return f"{_sha256(named)}-{''.join(each[:_SHORT] for each in digests)}"

    def unlike(self, digest: str) -> tuple[str, ...]:
        """What the promotion of this digest has otherwise, by name; nothing where it is this one.

        Of a digest that some other version has made, of more parts or fewer, the version alone.
        """
        own = self.digest
        if digest == own:
            return ()
        mine, theirs = _short_forms(own), _short_forms(digest)
        if len(mine) != len(theirs):
            return ("version",)
        named = [part for part, a, b in zip(PARTS, mine, theirs, strict=True) if a != b]
        # One in sixteen million differences has the same short form, and so has an edited digest.
        return tuple(named) or ("a part that its short form does not tell",)


PARTS = tuple(field.name for field in fields(BoundParts))
CALLED = {
    "files": "the pending files",
    "history": "what is applied already",
    "checks": "what is checked",
    "code": "the Python that runs or the code that contracts are about",
    "settings": "the settings",
    "options": "the options of the run",
    "target": "the database",
    "before": "the schema before",
    "after": "the schema after",
    "version": "the version of this tool",
}


def refuse_malformed(digest: str, given: str) -> None:
    """Raises MisuseError for what no plan can have printed; ``given`` is how it was given."""
    if not _SHAPE.fullmatch(digest):
        raise MisuseError(
            f"{given}: that is no digest of a plan",
            why="a promotion is bound to the digest that its plan has printed, all of it",
            fix="copy it whole: 64 hexadecimal digits, a hyphen, and some more of them, in"
            " lower case",
        )


def _short_forms(digest: str) -> list[str]:
    short = digest.partition("-")[2]
    return [short[at : at + _SHORT] for at in range(0, len(short), _SHORT)]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
