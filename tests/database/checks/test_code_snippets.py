"""The labelled set: every static reference is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.checks.code.facts import CodeReference, Undecided
from pytest_housekeeping.checks.code.readers.read import read_source
from pytest_housekeeping.checks.code.resolve.references import resolve
from pytest_housekeeping.checks.code.resolve.resolution import Resolution
from pytest_housekeeping.checks.code.verdict.breach import UNDECIDED
from pytest_housekeeping.checks.code.verdict.breaches import breaches
from pytest_housekeeping.checks.code.verdict.broken import broken_code
from pytest_housekeeping.server import Server
from support.snippet_ground import EVERYTHING, SUFFIXES, Snippet, laid_schema, snippets

ALL = list(snippets())
Found = Mapping[str, frozenset[str]]


@pytest.fixture(scope="module")
def found(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is found in each snippet, all of them resolved in one transaction."""
    root = tmp_path_factory.mktemp("snippets")
    fresh = server.database()
    with (
        psycopg.connect(fresh.migrator_conninfo, autocommit=True) as connection,
        psycopg.connect(fresh.superuser_conninfo, autocommit=True) as superuser,
        laid_schema(connection, superuser) as laid,
    ):
        read = {each.file: _read(each, root) for each in ALL}
        references = [e for each in read.values() for e in each if isinstance(e, CodeReference)]
        answers = resolve(laid, references, "venture_app")
        told = {file: frozenset(_told(each, answers, root)) for file, each in read.items()}
    server.drop(fresh)
    return told


def _read(snippet: Snippet, root: Path) -> tuple[CodeReference | Undecided, ...]:
    data = snippet.code.encode()
    (root / snippet.file).parent.mkdir(parents=True, exist_ok=True)
    (root / snippet.file).write_bytes(data)
    return read_source(data, snippet.file, SUFFIXES[snippet.language]).found


def _told(
    found: tuple[CodeReference | Undecided, ...],
    answers: Mapping[CodeReference, Resolution],
    root: Path,
) -> Iterator[str]:
    contract = EVERYTHING.contracts[0]
    for breach in breaches(EVERYTHING, contract, found, [answers], ()):
        yield f"{breach.line} {'undecided' if breach.rule == UNDECIDED else breach.object}"
    references = [each for each in found if isinstance(each, CodeReference)]
    for breach in broken_code(root, references, [answers]):
        yield f"{breach.line} broken"


@pytest.mark.parametrize("snippet", ALL, ids=str)
def test_a_snippet_names_what_its_label_says(found: Found, snippet: Snippet) -> None:
    assert found[snippet.file] == snippet.expected


def test_the_set_is_large_and_has_near_misses() -> None:
    assert len(ALL) >= 150
    assert len({each.file for each in ALL}) == len(ALL)
    assert sum(each.title.startswith("miss:") for each in ALL) >= 50
