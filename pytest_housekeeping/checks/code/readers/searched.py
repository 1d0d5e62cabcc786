"""Names with a schema out of files that no parser here understands: searched for, line by line."""

from __future__ import annotations

import re

from pytest_housekeeping.checks.code.facts import FileFacts, ReferenceKind
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.sql.identifiers import split_name

# A quote that is escaped in its string is one of SQL.
_PART = r'(?:\\?"[^"\\\n]+\\?"|[A-Za-z_][\w$]*)'
_NAME = rf"(?P<name>{_PART}\.{_PART})(?![\w.])"
# Behind a word of SQL, or alone in quotes: anything else with a dot is a method, a file, a module.
_FOUND = re.compile(
    rf"(?i:\b(?:from|join|into|update|only|table|copy|truncate|references|using)[\s=:(]+){_NAME}"
    rf"|(?i:\b(?:select|call|perform|execute)\s+){_NAME.replace('name', 'call')}\s*\("
    rf"|['\"`]{_NAME.replace('name', 'alone')}['\"`]"
)
# schema = "governance", schema: governance, @schema_prefix "governance", search_path=governance
_SCHEMA = re.compile(
    r"(?i)\b(?:table_?)?(?:schema(?:_?(?:name|prefix|search_path))?|search_?path|currentSchema)"
    r"['\"]?\s*(?:=>|[=:(]|\s)\s*['\"]?(?P<schema>[A-Za-z_][\w$]*)"
)
# #[…] is an attribute of PHP and of Rust, and * FROM the rest of a SELECT.
_COMMENT = re.compile(r"[ \t]*(?://|#(?!\[)|--|\*(?!\s*(?i:from)\b)|/\*|<!--|;)")


def read(text: str, file: str) -> FileFacts:
    """What may name a relation, a function or a schema, outside of lines that are comments."""
    collector = Collector(file, text)
    for match in _FOUND.finditer(text):
        group = match.lastgroup or "name"
        if not _is_comment(text, match.start(group)):
            kind = ReferenceKind.FUNCTION if group == "call" else ReferenceKind.RELATION
            _add(collector, split_name(match[group].replace("\\", "")), kind, match.span(group))
    for match in _SCHEMA.finditer(text):
        if not _is_comment(text, match.start("schema")):
            _add(collector, (match["schema"],), ReferenceKind.SCHEMA, match.span("schema"))
    return collector.facts()


def _add(
    collector: Collector, parts: tuple[str, ...], kind: ReferenceKind, place: tuple[int, int]
) -> None:
    how = "a file that is only searched for names"
    collector.add_name(parts, kind, Span(*place), how=how, certain=False)


def _is_comment(text: str, at: int) -> bool:
    return _COMMENT.match(text, text.rfind("\n", 0, at) + 1) is not None
