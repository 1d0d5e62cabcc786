"""Tables and columns that a Prisma schema file declares."""

from __future__ import annotations

import re

from pytest_housekeeping.checks.code.facts import FileFacts
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span

# A text first, so that a URL in it is not taken for a comment.
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*')
_DECLARES = re.compile(
    r"^\s*(?:model|view|type|datasource|generator|enum)\s+\w+\s*\{", re.MULTILINE
)
_BLOCK = re.compile(
    r"^[ \t]*(model|view|datasource)\s+(\w+)\s*\{(.*?)^[ \t]*\}", re.MULTILINE | re.DOTALL
)
# A field of one of these types is a relation between models and no column.
_TYPES = re.compile(r"^[ \t]*(?:model|view|type)\s+(\w+)", re.MULTILINE)
_FIELD = re.compile(r"^[ \t]*(\w+)[ \t]+(\w+)(\[\])?\??([^\n]*)$", re.MULTILINE)
_MAP = re.compile(r'@map\(\s*(?:name:\s*)?"([^"]+)"')
_BLOCK_MAP = re.compile(r'@@map\(\s*(?:name:\s*)?"([^"]+)"')
_SCHEMA = re.compile(r'@@schema\(\s*"([^"]+)"')
_PROVIDER = re.compile(r'provider\s*=\s*"(\w+)"')
_URL = re.compile(r'url\s*=\s*"([^"]+)"')


def read(text: str, file: str) -> FileFacts:
    """What the file names. Raises ValueError when it declares nothing: it is no Prisma schema."""
    plain = _COMMENT.sub(lambda found: _blank(found[0]), text)
    blocks = list(_BLOCK.finditer(plain))
    relations = set(_TYPES.findall(plain))
    if plain.strip() and not _DECLARES.search(plain):
        raise ValueError("it declares no model")
    provider = next(
        (m[1] for b in blocks if b[1] == "datasource" for m in _PROVIDER.finditer(b[3])), ""
    )
    collector = Collector(file, text, foreign=provider not in ("", "postgresql", "postgres"))
    if collector.foreign:
        return collector.facts()
    for block in blocks:
        if block[1] == "datasource":
            for url in _URL.finditer(block[3]):
                at = block.start(3) + url.start(1)
                collector.add_options((url[1],), Span(at, at + len(url[1]), block[2]))
            continue
        _model(block, relations, collector)
    return collector.facts()


def _model(block: re.Match[str], relations: set[str], collector: Collector) -> None:
    """``@@map`` and ``@map`` give the names in the database, where the model has others."""
    body = block[3]
    table = _BLOCK_MAP.search(body)
    schema = _SCHEMA.search(body)
    columns = []
    for field in _FIELD.finditer(body):
        mapped = _MAP.search(field[4])
        if field[2] not in relations and "@ignore" not in field[4]:
            columns.append(mapped[1] if mapped else field[1])
    said = schema or table
    at = block.start(3) + said.start(1) if said is not None else block.start(2)
    name = table[1] if table else block[2]
    collector.add_relation(
        schema[1] if schema else None,
        name,
        Span(at, at, block[2]),
        how="@@schema" if schema else "@@map" if table else "model",
        columns=tuple(columns),
    )


def _blank(text: str) -> str:
    """Blanks in the place of a comment, so that what follows stays where it is."""
    return text if text.startswith('"') else " " * len(text)
