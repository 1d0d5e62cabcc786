"""Names with a schema in a text that no parser here understands, found by what stands before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template
from pytest_housekeeping.sql.identifiers import split_name

Found = tuple[tuple[str, ...], ReferenceKind, int]
"""The parts of a name, what it names, and where it stands."""

# A quote that is escaped in its string is one of SQL.
_PART = r'(?:\\?"[^"\\\n]+\\?"|[A-Za-z_][\w$]*)'
_NAME = rf"(?P<name>{_PART}\.{_PART})(?![\w.])"
# Behind a word of SQL, or alone in quotes: anything else with a dot is a method, a file, a module.
_FOUND = re.compile(
    rf"(?i:\b(?:from|join|into|update|only|(?:sql_?)?table(?:_?name)?|copy|truncate|references|using)"
    rf"[\s=:(]+){_NAME}"
    rf"|(?i:\b(?:select|call|perform|execute)\s+){_NAME.replace('name', 'call')}\s*\("
    rf"|['\"`]{_NAME.replace('name', 'alone')}['\"`]"
    # An entry of a list: - governance.ledger, or one of several without a space between them.
    rf"|^[ \t]*-[ \t]+{_NAME.replace('name', 'entry')}[ \t]*\r?$"
    rf"|(?<=[,='\"`]){_NAME.replace('name', 'member')}(?=[,'\"`]|\r?$)"
    # pg_dump -t governance.ledger
    rf"|(?:^|\s)-t[\s=]*['\"]?{_NAME.replace('name', 'option')}",
    re.MULTILINE,
)
# schema = "governance", schema: governance, @schema_prefix "governance", search_path=governance
_SCHEMA = re.compile(
    r"(?i)(?:\b|-c)(?:table_?)?(?:schema(?:_?(?:name|prefix|search_path))?|search_?path|currentSchema)"
    r"['\"]?(?:\s{0,9}(?:=>|[=:(]|%3D)\s{0,9}|\s{1,9})['\"]?(?P<schema>[A-Za-z_][\w$]*)"
)
# #[…] is an attribute of PHP and of Rust, and * FROM the rest of a SELECT.
_COMMENT = re.compile(r"[ \t]*(?://|#(?!\[)|--|\*(?!\s*(?i:from)\b)|/\*|<!--|;)")


TABLE_SETTINGS = frozenset(
    ["table", "table_name", "tables", "dbtable", "sql_table", "sqlTable", "target_table"]
)
SCHEMA_SETTINGS = frozenset(["schema", "Accept-Profile", "Content-Profile"])
"""Keywords and keys whose values name a table with its schema, and a schema."""

# pg_dump -n governance: only behind such a program, other programs have a -n of their own.
_DUMPED = re.compile(r"(?:^|\s)(?:-n[\s=]*|--schema\s)(?P<schema>[A-Za-z_][\w$]*)")
_DUMP_OPTION = re.compile(r"(?:^|\s)(?:-[tTnN]|--(?:exclude-)?(?:table|schema))\b")
_BEFORE_NAME = re.compile(r"(?:^|\s)(?:-[tn]|--(?:table|schema))[\s=]*$")
_QUALIFIED = re.compile(rf"{_PART}\.{_PART}")
_COMMAND = re.compile(r"\b(?:psql|pg_dump|pg_restore|pgbench|vacuumdb|clusterdb|reindexdb)['\"\s]")
_DUMPS = re.compile(r"\b(?:pg_dump|pg_restore|vacuumdb|reindexdb)\b|^--?[A-Za-z]")
# What makes pg_dump write no more than a part, or nothing.
_PART_OF_ALL = re.compile(r"\s(?:-[tneV?]|--(?:table|schema|extension|filter|version|help))(?!\w)")


def searched_names(text: str) -> Iterator[Found]:
    """What may name a relation, a function or a schema, outside of lines that are comments."""
    for match in _FOUND.finditer(text):
        group = match.lastgroup or "name"
        if not _is_comment(text, match.start(group)):
            kind = ReferenceKind.FUNCTION if group == "call" else ReferenceKind.RELATION
            yield split_name(match[group].replace("\\", "")), kind, match.start(group)
    for match in _SCHEMA.finditer(text):
        if not _is_comment(text, match.start("schema")):
            yield (match["schema"],), ReferenceKind.SCHEMA, match.start("schema")
    for match in _DUMPED.finditer(text) if _DUMPS.search(text) else ():
        yield (match["schema"],), ReferenceKind.SCHEMA, match.start("schema")


def is_qualified(text: str) -> bool:
    """Whether it is nothing but a name with its schema: ``governance.ledger``."""
    return _QUALIFIED.fullmatch(text) is not None


def is_dump_option(text: str) -> bool:
    """Whether these are options, among them one that chooses what ``pg_dump`` writes."""
    return text.startswith("-") and _DUMP_OPTION.search(text) is not None


def dumps_all(text: str) -> bool:
    """Whether it is a command of ``pg_dump`` with options, of which none chooses what it writes."""
    program, _, options = text.partition(" ")
    is_dump = program.endswith("pg_dump") and " -" in text
    return is_dump and _PART_OF_ALL.search(f" {options}") is None


def names_at_run_time(template: Template) -> bool:
    """Whether such an option is followed by something that is known at run time only."""
    return any(
        isinstance(piece, str)
        and isinstance(following, Hole)
        and not following.value
        and _BEFORE_NAME.search(piece) is not None
        for piece, following in itertools.pairwise(template)
    )


def is_program(word: object) -> bool:
    """Whether a word is the name or the path of one of PostgreSQL's programs."""
    return isinstance(word, str) and " " not in word and is_command(f"{word} ")


def is_command(text: str) -> bool:
    """Whether it is a command of the shell that starts a program of PostgreSQL's."""
    return _COMMAND.search(text) is not None


def _is_comment(text: str, at: int) -> bool:
    return _COMMENT.match(text, text.rfind("\n", 0, at) + 1) is not None
