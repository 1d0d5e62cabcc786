"""Statements of the files, where what was measured does not tell one from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
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


def alterations(subject: Subject) -> Iterator[Alteration]:
    """Every action of every ALTER TABLE, file by file. Inside of functions nobody looks."""
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


def validated_here(subject: Subject) -> frozenset[tuple[str, str]]:
    """Relation and name of each constraint that is added NOT VALID and validated in the segment."""
    added, validated = set(), set()
    for each in alterations(subject):
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
    """The statement of the file of ``step`` that names a relation last; the end of that file where
    no text names it."""
    number = _number_of(subject, step)
    places = [place for found, place in _naming(subject, relation) if found == number]
    return number, places[-1] if places else len(subject.files[number].statements)


def statements_behind(subject: Subject, number: int, place: int) -> int:
    """How many statements come behind this one in the segment."""
    own = len(subject.files[number].statements) - place - 1
    return own + sum(len(file.statements) for file in subject.files[number + 1 :])


def deciding_files(subject: Subject, name: str, step: str) -> Sequence[PlannedFile]:
    """The files that may have destroyed an object: of those from a step on the ones that drop or
    empty something and name it, or that drop something, or all."""
    behind = subject.files[_number_of(subject, step) :]
    dropping = [file for file in behind if any(map(_drops, file.statements))]
    bare = _bare(name)
    return [file for file in dropping if bare in file.text.lower()] or dropping or behind


def _drops(statement: Statement) -> bool:
    if statement.name == "AlterTableStmt":
        cmds = statement.body.get("cmds", ())
        return any(each["AlterTableCmd"]["subtype"] == "AT_DropColumn" for each in cmds)
    return statement.name in ("DropStmt", "TruncateStmt")


def _number_of(subject: Subject, step: str) -> int:
    """The place of a step's file; the last one for what ran when all was applied."""
    steps = [file.step for file in subject.files]
    return steps.index(step) if step in steps else max(0, len(steps) - 1)


def _naming(subject: Subject, relation: str) -> Iterator[tuple[int, int]]:
    bare = _bare(relation)
    for number, file in enumerate(subject.files):
        for place, text in enumerate(_texts(file)):
            if bare in text.lower():
                yield number, place


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip('"').lower()


def _texts(file: PlannedFile) -> Iterator[str]:
    offsets = [each.offset for each in file.statements]
    for begin, end in zip(offsets, [*offsets[1:], len(file.text)], strict=True):
        yield file.text[begin:end]


def _named(subject: Subject, node: Node) -> Iterator[str]:
    """The locked relations that a name as it was typed can stand for."""
    typed = [node[key] for key in ("schemaname", "relname") if node.get(key)]
    name = quoted(*typed)
    for relation in subject.facts.strongest:
        if relation == name or (len(typed) == 1 and relation.endswith(f".{name}")):
            yield relation
