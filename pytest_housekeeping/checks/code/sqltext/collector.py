"""Gathers what one file names, each with its place, and applies the hints that its lines bear."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import (
    CodeReference,
    FileFacts,
    Import,
    Name,
    ReferenceKind,
    Undecided,
)
from pytest_housekeeping.checks.code.sqltext import parse as sqltext
from pytest_housekeeping.checks.code.sqltext.connection_options import looks_like_settings, settings
from pytest_housekeeping.checks.code.sqltext.names import WrittenName
from pytest_housekeeping.checks.code.sqltext.template import Template, visible
from pytest_housekeeping.sql.identifiers import split_name

MODULE = "<module>"
_HINT = re.compile(r"(?:#|//|--|/\*)\s*hk:\s*reaches\b[ \t]*(.*)$")
_NAME = r'(?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?(?:\(\))?'
_REACHES = re.compile(rf"({_NAME}(?:\s*,\s*{_NAME})*)\s+--\s+\S")
_COMMENT = re.compile(r"\s*(?:#|//|--|/\*|\*)")
NOTHING = "nothing"


def hinted_names(text: str) -> tuple[str, ...] | None:
    """The names that the hints of a text say it reaches; None when it bears no hint."""
    hints = [_REACHES.match(hint[1]) for hint in map(_HINT.search, text.split("\n")) if hint]
    names = [name for hint in hints if hint for name in re.findall(_NAME, hint[1])]
    return tuple(name for name in names if name != NOTHING) if names else None


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands: characters from 0, and the symbol around it."""

    start: int
    end: int
    symbol: str = MODULE


class Collector:
    """``foreign``: the file speaks to another database, so a name unknown here may be its own."""

    def __init__(self, file: str, text: str, *, foreign: bool = False) -> None:
        self.file = file
        self.text = text
        self.foreign = foreign
        self.imports: list[Import] = []
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: dict[object, CodeReference | Undecided] = {}

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column_bytes: int) -> int:
        """From a line that counts from 1 and a column in bytes that counts from 0."""
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        row = self.text[start:end]
        if row.isascii():
            return start + column_bytes
        return start + len(row.encode()[:column_bytes].decode(errors="ignore"))

    def sql(self, template: Template, span: Span, *, how: str, sink: bool) -> bool:
        """Take the text in when it is SQL, a part of SQL, or chooses a role or schema."""
        text = visible(template)
        if sink or sqltext.starts_like_sql(text):
            statements = sqltext.read(template, sink=sink)
            for number, found in enumerate(statements or ()):
                self._statement(found, span, how, number)
            if statements is not None:
                return True
        if sqltext.starts_like_fragment(text):
            names = sqltext.read_fragment(template)
            for spelt in names:
                self.spelt(spelt, span, how=f"{how}, a part of a statement", certain=False)
            if names:
                return True
        return self.options(template, span)

    def options(self, template: Template, span: Span) -> bool:
        """Take in a connection string or options."""
        text = visible(template)
        if not looks_like_settings(text):
            return False
        found, at_run_time = settings(template)
        for spelt in found:
            self.spelt(spelt, span, how="connection options")
        if at_run_time:
            self.undecided(span, "the connection options choose a role or schema at run time")
        return bool(found) or at_run_time

    def spelt(self, spelt: WrittenName, span: Span, *, how: str, certain: bool = True) -> None:
        """A name that stands at a known place of a text."""
        line, column = self.place(self._inside(spelt, span))
        self._name(spelt.parts, spelt.kind, line, column, span, how, certain, ())

    def name(
        self,
        parts: tuple[str, ...],
        kind: ReferenceKind,
        span: Span,
        *,
        how: str,
        certain: bool = True,
        columns: tuple[str, ...] = (),
    ) -> None:
        """A name of the database."""
        if parts and all(parts):
            line, column = self.place(span.start)
            self._name(parts, kind, line, column, span, how, certain, columns)

    def dotted(
        self, text: str, kind: ReferenceKind, span: Span, *, how: str, certain: bool = True
    ) -> None:
        """A name that is written in one text, with a dot between schema and object."""
        self.name(split_name(text), kind, span, how=how, certain=certain)

    def undecided(self, span: Span, reason: str) -> None:
        """A place of which nobody can say what it names."""
        line, column = self.place(span.start)
        self._found.setdefault(
            (line, column, "?"),
            Undecided(file=self.file, line=line, column=column, symbol=span.symbol, reason=reason),
        )

    def reading(self) -> FileFacts:
        """Everything, in the order of the file, with the hints applied."""
        hints = list(self._hints()) if "hk:" in self.text else []
        covered = {line for lines, _, _ in hints for line in lines}
        found = [
            each
            for each in self._found.values()
            if not (isinstance(each, Undecided) and each.line in covered)
        ]
        for _, references, problem in hints:
            found += references
            if problem is not None:
                found.append(problem)
        found.sort(key=lambda each: (each.line, each.column))
        return FileFacts(found=tuple(found), imports=tuple(self.imports))

    def _statement(self, found: sqltext.ParsedStatement, span: Span, how: str, number: int) -> None:
        line, column = self.place(span.start)
        names = []
        for spelt in found.names:
            at = self.place(self._inside(spelt, span))
            names.append(Name(parts=spelt.parts, kind=spelt.kind, line=at[0], column=at[1]))
        if found.text:
            self._found.setdefault(
                (line, column, found.text, number),
                CodeReference(
                    file=self.file,
                    line=line,
                    column=column,
                    symbol=span.symbol,
                    kind=ReferenceKind.STATEMENT,
                    how=how,
                    names=tuple(names),
                    text=found.text,
                    certain=found.certain,
                    exact=found.exact,
                    makes=found.makes,
                    foreign=self.foreign,
                ),
            )
        if found.doubt:
            self.undecided(span, found.doubt)

    def _name(
        self,
        parts: tuple[str, ...],
        kind: ReferenceKind,
        line: int,
        column: int,
        span: Span,
        how: str,
        certain: bool,
        columns: tuple[str, ...],
    ) -> None:
        name = Name(parts=parts, kind=kind, line=line, column=column, columns=columns)
        self._found.setdefault(
            (line, column, parts, kind),
            CodeReference(
                file=self.file,
                line=line,
                column=column,
                symbol=span.symbol,
                kind=kind,
                how=how,
                names=(name,),
                certain=certain,
                foreign=self.foreign,
            ),
        )

    def _inside(self, spelt: WrittenName, span: Span) -> int:
        """Where a name of the text stands in the file: the same one of its occurrences there."""
        piece = spelt.slice or spelt.parts[-1]
        before = spelt.before
        at = span.start - 1
        for _ in range(before + 1):
            following = self.text.find(piece, at + 1, span.end)
            if following < 0:
                break
            at = following
        if at >= span.start:
            return at
        last = self.text.find(spelt.parts[-1], span.start, span.end)
        if last < 0:  # the text was put together further up
            last = self.text.rfind(piece, 0, span.start)
        return last if last >= 0 else span.start

    def _hints(self) -> Iterator[tuple[set[int], list[CodeReference], Undecided | None]]:
        for number, row in enumerate(self.text.split("\n"), start=1):
            hint = _HINT.search(row)
            if hint is None:
                continue
            lines = {number, number + 1} if _COMMENT.match(row) else {number}
            reaches = _REACHES.match(hint[1])
            if reaches is None:
                yield (
                    set(),
                    [],
                    Undecided(
                        file=self.file,
                        line=number,
                        column=hint.start() + 1,
                        symbol=MODULE,
                        reason="the hint is not written: hk: reaches venture.orders -- reason",
                    ),
                )
                continue
            yield lines, list(self._hinted(reaches[1], number, hint.start() + 1)), None

    def _hinted(self, names: str, line: int, column: int) -> Iterable[CodeReference]:
        for text in re.findall(_NAME, names):
            if text == NOTHING:
                continue
            kind = ReferenceKind.FUNCTION if text.endswith("()") else ReferenceKind.RELATION
            parts = split_name(text.removesuffix("()"))
            yield CodeReference(
                file=self.file,
                line=line,
                column=column,
                symbol=MODULE,
                kind=kind,
                how="a hint",
                names=(Name(parts=parts, kind=kind, line=line, column=column),),
            )
