"""Statements of the files, where what was measured does not tell one from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pytest_housekeeping.checks.changes.subject import (
    PlannedFile,
    Subject,
    once,
    split_last,
)
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import Statement

Node = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alteration:
    """An action of an ALTER TABLE on a relation that is locked by the segment."""

    relation: str
    statement: tuple[int, int]
    action: str
    command: Node


@once
def alterations(subject: Subject) -> Mapping[str, Sequence[Alteration]]:
    """By relation, every action of every ALTER TABLE. Inside of functions nobody looks."""
    found: dict[str, list[Alteration]] = {}
    for each in _alterations(subject):
        found.setdefault(each.relation, []).append(each)
    return found


def altering(subject: Subject, relation: str) -> int:
    """How many ALTER TABLE statements a relation has."""
    return len({each.statement for each in alterations(subject).get(relation, ())})


def _alterations(subject: Subject) -> Iterator[Alteration]:
    for number, file in enumerate(subject.files):
        for place, statement in enumerate(file.statements):
            if statement.name != "AlterTableStmt":
                continue
            for relation in _named(subject, statement.body["relation"]):
                for each in statement.body.get("cmds", ()):
                    command = each["AlterTableCmd"]
                    yield Alteration(
                        relation=relation,
                        statement=(number, place),
                        action=command["subtype"],
                        command=command,
                    )


@once
def validated_here(subject: Subject) -> frozenset[tuple[str, str]]:
    """Relation and name of each constraint that is added NOT VALID and validated in the segment."""
    added, validated = set(), set()
    for each in chain.from_iterable(alterations(subject).values()):
        if each.action == "AT_AddConstraint":
            constraint = each.command["def"]["Constraint"]
            if constraint.get("skip_validation"):
                added.add((each.relation, quoted(constraint.get("conname", ""))))
        elif each.action == "AT_ValidateConstraint":
            validated.add((each.relation, quoted(each.command["name"])))
    return frozenset(added & validated)


def cut_before(subject: Subject, step: str, since: str) -> str:
    """How what one step does gets out of the transaction of an earlier one, or of the same file."""
    path = subject.path_of(step)
    if path and step != since:
        return f"begin {path} with -- hk: transaction=own"
    return f"move it from {path or 'there'} to a later file that begins with -- hk: transaction=own"


def first_named(subject: Subject, relation: str, step: str) -> tuple[int, int]:
    """The file and the statement that names a relation first, from the file of ``step`` on; the
    beginning of that file where no text names it."""
    begin = _number_of(subject, step)
    for number, place in _naming(subject, relation):
        if number >= begin:
            return number, place
    return begin, 0


def last_named(subject: Subject, relation: str, step: str) -> tuple[int, int]:
    """The statement of the file of ``step`` that names a relation last; the last one of that file
    where none names it."""
    number = _number_of(subject, step)
    places = [place for found, place in _naming(subject, relation) if found == number]
    return number, places[-1] if places else max(0, len(subject.files[number].statements) - 1)


def statements_behind(subject: Subject, number: int, place: int) -> int:
    """How many statements come behind this one in the segment."""
    own = len(subject.files[number].statements) - place - 1
    return own + sum(len(file.statements) for file in subject.files[number + 1 :])


def deciding_files(subject: Subject, name: str, step: str) -> Sequence[PlannedFile]:
    """The files that may have destroyed an object: of those from a step on the ones that drop or
    empty something and name it, or that drop something, or all."""
    behind = subject.files[_number_of(subject, step) :]
    dropping = [file for file in behind if file.path in _dropping(subject)]
    bare = _bare(name)
    return [file for file in dropping if bare in file.text.lower()] or dropping or behind


@once
def _dropping(subject: Subject) -> frozenset[str]:
    """The files that drop or empty something."""
    return frozenset(e.path for e in subject.files if any(map(_drops, e.statements)))


def _drops(statement: Statement) -> bool:
    if statement.name == "AlterTableStmt":
        cmds = statement.body.get("cmds", ())
        return any(each["AlterTableCmd"]["subtype"] == "AT_DropColumn" for each in cmds)
    return statement.name in ("DropStmt", "TruncateStmt")


def _number_of(subject: Subject, step: str) -> int:
    """The place of a step's file; the last one for what ran when all was applied."""
    steps = [file.step for file in subject.files]
    return steps.index(step) if step in steps else max(0, len(steps) - 1)


def _naming(subject: Subject, relation: str) -> Sequence[tuple[int, int]]:
    """The statements that name a relation, by file and place."""
    known, bare = _places(subject), _bare(relation)
    if bare not in known:
        known[bare] = [
            (number, place)
            for number, file in enumerate(subject.files)
            if bare in file.text.lower()
            for place, text in enumerate(file.texts)
            if bare in text
        ]
    return known[bare]


@once
def _places(_: Subject) -> dict[str, Sequence[tuple[int, int]]]:
    """Filled as it is asked for."""
    return {}


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip('"').lower()


def _named(subject: Subject, node: Node) -> Iterator[str]:
    """The locked relations that a name as it was typed can stand for."""
    typed = [node[key] for key in ("schemaname", "relname") if node.get(key)]
    name = quoted(*typed)
    if len(typed) == 1:
        yield from _by_last_name(subject).get(name, ())
    elif name in subject.strongest:
        yield name


@once
def _by_last_name(subject: Subject) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for relation in subject.strongest:
        found.setdefault(split_last(relation)[1], []).append(relation)
    return found
