"""References out of a TypeScript or JavaScript file, by tree-sitter's syntax tree."""

from __future__ import annotations

from pytest_housekeeping.checks.code.facts import FileFacts
from pytest_housekeeping.checks.code.readers.script import (
    builders,
    loose_text,
    mappers,
    options,
    sinks,
)
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile


def read(text: str, file: str, dialect: str) -> FileFacts:
    """What the file names. Where tree-sitter could not read it, it is undecided."""
    script = ScriptFile(text, file, dialect)
    script.read_imports()
    sinks.read(script)
    mappers.read(script)
    builders.read(script)
    options.read(script)
    # Last: a text that one of the others has read is not read again.
    loose_text.read(script)
    if script.tree.root_node.has_error:
        _add_unparsed(script)
    return script.collector.facts()


def _add_unparsed(script: ScriptFile) -> None:
    """tree-sitter recovers; what it had to leave out may have named anything."""
    stack = [script.tree.root_node]
    while stack:
        node = stack.pop()
        if node.is_missing and node.type == "!":
            continue  # how the grammar reads: await sql<Row[]>`...`
        if node.type == "ERROR" or node.is_missing:
            reason = "the file does not parse from here"
            script.collector.add_undecided(script.span(node), reason)
            return
        stack += [child for child in reversed(node.children) if child.has_error or child.is_missing]
