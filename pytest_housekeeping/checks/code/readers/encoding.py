"""The facts of a file as plain lists, for the cache and for the pipe between processes."""

from __future__ import annotations

from typing import Any

from pytest_housekeeping.checks.code.facts import (
    CodeReference,
    FileFacts,
    Import,
    Name,
    ReferenceKind,
    Undecided,
)

_KINDS = {kind.value: kind for kind in ReferenceKind}


def encode_facts(facts: FileFacts) -> list[Any]:
    """Without the name of the file: the same text under another name has the same facts."""
    return [
        [_encode(each) for each in facts.found],
        [
            [each.line, each.column, each.symbol, each.module, each.names, each.level]
            for each in facts.imports
        ],
        [_encode(each) for each in facts.unread],
    ]


def decode_facts(stored: list[Any], file: str) -> FileFacts:
    """Raises ValueError, TypeError, KeyError or IndexError for what was not encoded here."""
    return FileFacts(
        found=tuple(_decode(each, file) for each in stored[0]),
        imports=tuple(
            Import(line=i[0], column=i[1], symbol=i[2], module=i[3], names=tuple(i[4]), level=i[5])
            for i in stored[1]
        ),
        unread=tuple(_undecided(each, file) for each in stored[2]),
    )


def _encode(each: CodeReference | Undecided) -> list[Any]:
    if isinstance(each, Undecided):
        return [each.line, each.column, each.symbol, each.reason]
    names = [[n.parts, n.kind.value, n.line, n.column, n.columns] for n in each.names]
    flags = each.certain | each.exact << 1 | each.foreign << 2
    return [
        each.line,
        each.column,
        each.symbol,
        each.kind.value,
        each.how,
        names,
        each.text,
        flags,
        each.makes,
    ]


def _undecided(stored: list[Any], file: str) -> Undecided:
    line, column, symbol, reason = stored
    return Undecided(file=file, line=line, column=column, symbol=symbol, reason=reason)


def _decode(stored: list[Any], file: str) -> CodeReference | Undecided:
    if len(stored) == 4:
        return _undecided(stored, file)
    line, column, symbol, kind, how, names, text, flags, makes = stored
    return CodeReference(
        file=file,
        line=line,
        column=column,
        symbol=symbol,
        kind=_KINDS[kind],
        how=how,
        names=tuple(
            Name(parts=tuple(n[0]), kind=_KINDS[n[1]], line=n[2], column=n[3], columns=tuple(n[4]))
            for n in names
        ),
        text=text,
        certain=bool(flags & 1),
        exact=bool(flags & 2),
        makes=tuple(makes),
        foreign=bool(flags & 4),
    )
