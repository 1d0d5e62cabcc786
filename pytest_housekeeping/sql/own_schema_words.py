"""Whether a text that may be run as SQL names the schema of the tool's own tables, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.sql.identifiers import stored_name
from pytest_housekeeping.sql.parser import ParseError, scan

OWN_TABLES = ("history", "promotion")
"""The tables that this tool makes in its schema."""

_DEEPEST = 5  # texts in texts: EXECUTE 'DO $$ ... $$'
_NEAR = 12  # words behind search_path
_QUOTED = re.compile(r"(?:[EeNn]|[Uu]&)?'(.*)'|\$[^$]*\$(.*)\$[^$]*\$", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Word:
    """A token: its name as PostgreSQL stores identifiers, or the text of a string constant.

    ``spaced``: white space follows it.
    """

    kind: str
    text: str
    start: int
    spaced: bool = False


def names_in_text(text: str, schema: str, *, depth: int = 0) -> bool:
    """Whether the schema is named: with a dot behind it, after SCHEMA, or in a search_path.

    ``name.word`` is not taken for it where the same text has a relation of that name, whose column
    it may be, nor ``name. Word``, which is prose, unless the word is a table of this tool's.
    """
    if schema not in text.lower() or depth > _DEEPEST:
        return False
    words = _words(text)
    places = [at for at, word in enumerate(words) if word.kind == "name" and word.text == schema]
    schemas = [at for at in places if _next(words, at) == "." and _next(words, at - 2) != "."]
    if any(_next(words, at + 1) in _own_names() for at in schemas):
        return True
    joined = [at for at in schemas if not words[at + 1].spaced]
    if joined and len(schemas) == len(places):
        return True
    if any(_follows_schema(words, at) for at in places) or _in_path(words, schema):
        return True
    inner = (word.text for word in words if word.kind == "text")
    return any(names_in_text(each, schema, depth=depth + 1) for each in inner)


def place_of_name(text: str, schema: str) -> int:
    """The offset of the first word in a statement that is the schema's name, or holds it; else
    0: where the name is written with Unicode escapes, the statement has to do."""
    for word in _words(text):
        if word.text == schema or (word.kind == "text" and schema in word.text.lower()):
            return word.start
    return 0


def _own_names() -> frozenset[str]:
    return frozenset(f"{table}{end}" for table in OWN_TABLES for end in ("", "_id_seq", "_pkey"))


def _follows_schema(words: Sequence[_Word], at: int) -> bool:
    """SCHEMA name, SCHEMA IF EXISTS name, and further names behind commas."""
    before = at - 1
    while before >= 0:
        word = words[before].text
        if word == "schema":
            return True
        if word not in ("if", "not", "exists", ",") and words[before + 1].text != ",":
            return False
        before -= 1
    return False


def _in_path(words: Sequence[_Word], schema: str) -> bool:
    for at, word in enumerate(words):
        if word.text != "search_path":
            continue
        for near in words[at + 1 : at + 1 + _NEAR]:
            if near.text == ";":
                break
            if schema in [part.strip().strip('"') for part in near.text.split(",")]:
                return True
    return False


def _next(words: Sequence[_Word], at: int) -> str:
    return words[at + 1].text if 0 <= at + 1 < len(words) else ""


def _words(text: str) -> list[_Word]:
    return list(_scanned(text))


def _scanned(text: str) -> Iterator[_Word]:
    try:
        tokens = scan(text)
    except ParseError:
        yield from _roughly(text)
        return
    for token in tokens:
        raw = text[token.start : token.end]
        spaced = text[token.end : token.end + 1].isspace()
        if token.name == "SCONST":
            quoted = _QUOTED.fullmatch(raw)
            inner = (quoted[1] or quoted[2] or "") if quoted else raw
            yield _Word(kind="text", text=inner.replace("''", "'"), start=token.start)
        elif token.name == "IDENT" or token.kind != "NO_KEYWORD":
            yield _Word(kind="name", text=stored_name(raw), start=token.start)
        elif not token.name.endswith("COMMENT"):
            yield _Word(kind="other", text=raw, start=token.start, spaced=spaced)


def _roughly(text: str) -> Iterator[_Word]:
    """The words of a text that is no SQL as a whole: half a statement that is put together."""
    for match in re.finditer(r'"(?:[^"]|"")+"|\w+|\S', text):
        kind = "name" if len(match[0]) > 1 else "other"
        spaced = text[match.end() : match.end() + 1].isspace()
        yield _Word(kind=kind, text=stored_name(match[0]), start=match.start(), spaced=spaced)
