"""Gathers what one file names, each with its place in the file."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import (
    MODULE,
    CodeReference,
    FileFacts,
    Import,
    Name,
    ReferenceKind,
    Undecided,
)
from pytest_housekeeping.checks.code.sqltext.connection_options import (
    connection_options,
    may_hold_options,
)
from pytest_housekeeping.checks.code.sqltext.fragment import read_fragment
from pytest_housekeeping.checks.code.sqltext.hints import read_hints
from pytest_housekeeping.checks.code.sqltext.parse import ParsedStatement, parse_template
from pytest_housekeeping.checks.code.sqltext.recognize import starts_like_fragment, starts_like_sql
from pytest_housekeeping.checks.code.sqltext.search import (
    SCHEMA_SETTINGS,
    TABLE_SETTINGS,
    dumps_all,
    is_command,
    is_dump_option,
    is_qualified,
    names_at_run_time,
    searched_names,
)
from pytest_housekeeping.checks.code.sqltext.template import Template, visible_text
from pytest_housekeeping.checks.code.sqltext.written import WrittenName, find_name
from pytest_housekeeping.sql.identifiers import split_name


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands: characters from 0, and the symbol around it."""

    start: int
    end: int
    symbol: str = MODULE


class Collector:
    """What one file names, place by place; of two facts about one place the first is kept.

    ``foreign``: the file speaks to another database, so a name unknown here may be its own.
    ``runs_commands``: it starts a program of PostgreSQL's, so its lists may be arguments.
    """

    def __init__(self, file: str, text: str, *, foreign: bool = False) -> None:
        self.file = file
        self.text = text
        self.foreign = foreign
        self.runs_commands = is_command(text)
        self.imports: list[Import] = []
        self._unread: list[Undecided] = []
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: dict[object, CodeReference | Undecided] = {}

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def offset(self, line: int, column_bytes: int) -> int:
        """From a line that counts from 1 and a column in bytes that counts from 0."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
        row = self.text[start:end]
        if row.isascii():
            return start + column_bytes
        return start + len(row.encode()[:column_bytes].decode(errors="ignore"))

    def add_text(self, template: Template, span: Span, *, how: str, sink: bool) -> bool:
        """Take a text in when it is SQL, a part of SQL, or chooses a role or schema.

        ``sink``: it is handed to a database, so it is SQL whatever it looks like.
        """
        text = visible_text(template)
        if sink or starts_like_sql(text):
            statements = parse_template(template, sink=sink)
            for number, statement in enumerate(statements or ()):
                self._add_statement(statement, span, how, number)
            if statements is not None:
                return True
        if starts_like_fragment(text):
            names = read_fragment(template)
            for name in names:
                self._add_written(name, span, f"{how}, a part of a statement", certain=False)
            if names:
                return True
        if is_command(text):
            for parts, kind, at in searched_names(text):
                name = find_name(text, parts, kind, at)
                self._add_written(name, span, f"{how}, a command of the shell", certain=False)
        return self.add_options(template, span)

    def add_setting(self, key: str, text: str, span: Span) -> None:
        """``table="governance.ledger"``, ``schema: "governance"``, whoever gets it: where the
        database has nothing of that name, it is something else."""
        if key in TABLE_SETTINGS and is_qualified(text):
            parts, kind = split_name(text), ReferenceKind.RELATION
        elif key in SCHEMA_SETTINGS:
            parts, kind = (text,), ReferenceKind.SCHEMA
        else:
            return
        self.add_name(parts, kind, span, how=f"the setting {key}", certain=False)

    def add_arguments(self, template: Template, span: Span, *, whole: bool = False) -> None:
        """The arguments of a program such as ``pg_dump``, given as a list and joined here.

        ``whole``: no more are added to them elsewhere.
        """
        text = visible_text(template)
        if not (is_command(text) or is_dump_option(text)):
            return
        for parts, kind, at in searched_names(text):
            name = find_name(text, parts, kind, at)
            self._add_written(name, span, "a command of the shell", certain=False)
        if names_at_run_time(template):
            self.add_undecided(span, "a command of the shell names a table at run time")
        elif whole and dumps_all(text):
            reason = "pg_dump writes all schemas where neither -t nor -n chooses one"
            self.add_undecided(span, reason)

    def add_options(self, template: Template, span: Span) -> bool:
        """Take in a connection string or options that choose a role or schema."""
        if not may_hold_options(visible_text(template)):
            return False
        names, at_run_time = connection_options(template)
        for name in names:
            self._add_written(name, span, "connection options", certain=True)
        if at_run_time:
            reason = "the connection options choose a role or schema at run time"
            self.add_undecided(span, reason)
        return bool(names) or at_run_time

    def add_name(
        self,
        parts: tuple[str, ...],
        kind: ReferenceKind,
        span: Span,
        *,
        how: str,
        certain: bool = True,
        columns: tuple[str, ...] = (),
    ) -> None:
        """A name of the database, where the span begins; nothing when a part of it is empty."""
        if parts and all(parts):
            line, column = self.place(span.start)
            name = Name(parts=parts, kind=kind, line=line, column=column, columns=columns)
            self._add(name, span, how, certain=certain)

    def add_relation(
        self,
        schema: str | None,
        name: str,
        span: Span,
        *,
        how: str,
        columns: tuple[str, ...],
    ) -> None:
        """A table or view, with its schema where the code says one."""
        parts = (schema, name) if schema else (name,)
        self.add_name(parts, ReferenceKind.RELATION, span, how=how, columns=columns)

    def add_dotted(self, text: str, kind: ReferenceKind, span: Span, *, how: str) -> None:
        """A name that is written in one text, with a dot between schema and object."""
        self.add_name(split_name(text), kind, span, how=how)

    def add_undecided(self, span: Span, reason: str) -> None:
        """A place of which nobody can say what it names."""
        line, column = self.place(span.start)
        self._found.setdefault(
            (line, column, "?"),
            Undecided(file=self.file, line=line, column=column, symbol=span.symbol, reason=reason),
        )

    def add_unread(self, line: int, column: int, symbol: str, library: str) -> None:
        """An import of a library whose tables nobody reads here."""
        self._unread.append(
            Undecided(file=self.file, line=line, column=column, symbol=symbol, reason=library)
        )

    def facts(self) -> FileFacts:
        """All facts, in the order of the file. A hint replaces what is undecided on its lines."""
        # A hint speaks for a person who knows: what is undecided on its lines is decided by it.
        hints = list(read_hints(self.file, self.text))
        decided = frozenset().union(*(hint.lines for hint in hints))
        found = [
            each
            for each in self._found.values()
            if not (isinstance(each, Undecided) and each.line in decided)
        ]
        found += [each for hint in hints for each in hint.found]
        found.sort(key=lambda each: (each.line, each.column))
        unread = tuple(each for each in self._unread if each.line not in decided)
        return FileFacts(found=tuple(found), imports=tuple(self.imports), unread=unread)

    def _add_statement(self, statement: ParsedStatement, span: Span, how: str, number: int) -> None:
        line, column = self.place(span.start)
        if statement.text:
            self._found.setdefault(
                (line, column, statement.text, number),
                CodeReference(
                    file=self.file,
                    line=line,
                    column=column,
                    symbol=span.symbol,
                    kind=ReferenceKind.STATEMENT,
                    how=how,
                    names=tuple(self._placed(name, span) for name in statement.names),
                    text=statement.text,
                    certain=statement.certain,
                    exact=statement.exact,
                    makes=statement.makes,
                    foreign=self.foreign,
                ),
            )
        if statement.doubt:
            self.add_undecided(span, statement.doubt)

    def _add_written(self, name: WrittenName, span: Span, how: str, *, certain: bool) -> None:
        self._add(self._placed(name, span), span, how, certain=certain)

    def _add(self, name: Name, span: Span, how: str, *, certain: bool) -> None:
        self._found.setdefault(
            (name.line, name.column, name.parts, name.kind),
            CodeReference(
                file=self.file,
                line=name.line,
                column=name.column,
                symbol=span.symbol,
                kind=name.kind,
                how=how,
                names=(name,),
                certain=certain,
                foreign=self.foreign,
            ),
        )

    def _placed(self, name: WrittenName, span: Span) -> Name:
        line, column = self.place(self._inside(name, span))
        return Name(parts=name.parts, kind=name.kind, line=line, column=column)

    def _inside(self, name: WrittenName, span: Span) -> int:
        """Where a name of the text stands in the file: at the same occurrence within the span."""
        spelling = name.spelling or name.parts[-1]
        at = span.start - 1
        for _ in range(name.occurrence + 1):
            following = self.text.find(spelling, at + 1, span.end)
            if following < 0:
                break
            at = following
        if at >= span.start:
            return at
        last = self.text.find(name.parts[-1], span.start, span.end)
        if last < 0:  # it stands in a constant further up
            last = self.text.rfind(spelling, 0, span.start)
        return last if last >= 0 else span.start
