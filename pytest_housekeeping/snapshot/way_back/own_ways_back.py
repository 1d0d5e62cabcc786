"""What of a proposal rollback files do already: they run besides, and doing it twice would fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_housekeeping.snapshot.way_back.inverse import Proposed
from pytest_housekeeping.sql.created_object import created_object
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, ParseError, parse, split

# What is altered of a table goes with it.
_GONE = "DROP TABLE "
_WHATEVER = (" IF EXISTS", " IF NOT EXISTS", " CASCADE", " RESTRICT")


def without_those_of(proposed: Sequence[Proposed], own: Iterable[str]) -> tuple[Proposed, ...]:
    """What no text of ``own`` does, by the object and what is done to it.

    What cannot be read stays: a person looks at all of it.
    """
    done = {key for text in own for key in _done_by(text)}
    gone = {name for key in done if key.startswith(_GONE) for name in key[len(_GONE) :].split(", ")}
    return tuple(
        each
        for each in proposed
        if not (keys := set(_done_by(each.sql)))
        or not all(key in done or key.partition(" AT_")[0] in gone for key in keys)
    )


def _done_by(text: str) -> Iterator[str]:
    try:
        nodes = [parse(each)[0].stmt for each in split(text)]
    except (ParseError, IndexError):
        return
    for node in nodes:
        yield from _keys(node)


def _keys(node: Node) -> Iterator[str]:
    """Of ALTER TABLE one for each of its parts; of what makes an object its name, however it is
    made; of anything else its text."""
    if node.tag == "AlterTableStmt":
        for command in node.cmds:
            name = command.name or getattr(command.def_, "conname", "") or ""
            name = name or getattr(command.def_, "colname", "") or ""
            yield f"{printed(node.relation).removeprefix('ONLY ')} {command.subtype} {name}"
    elif found := created_object(node):
        yield f"makes {' '.join(found)}"
    else:
        said = printed(node)
        for word in _WHATEVER:
            said = said.replace(word, "")
        yield said
