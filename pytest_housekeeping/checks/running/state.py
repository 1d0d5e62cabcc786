"""All that is asked of one schema: by each role of an application, and in bodies of functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.resolve.catalog import DependencyGraph, read_dependency_graph
from pytest_housekeeping.checks.code.resolve.search_path import search_path, set_search_path
from pytest_housekeeping.checks.code.verdict.app_code import references_of
from pytest_housekeeping.checks.running.answers import Answer, Question, Refusal
from pytest_housekeeping.checks.running.ask import ask
from pytest_housekeeping.checks.running.bodies import BodyState, read_bodies
from pytest_housekeeping.checks.running.committed_code import RunningApp
from pytest_housekeeping.checks.running.named import NamedState, is_named, look_up
from pytest_housekeeping.checks.running.statements import question_of
from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import Connection

_UNDEFINED_OBJECT = "42704"


@dataclass(frozen=True, kw_only=True)
class RoleState:
    """What one role of an application is answered on a schema; ``named`` is also what is refused
    for a temporary table that the code makes itself."""

    role: str
    answers: Mapping[Question, Answer]
    named: Mapping[CodeReference, NamedState]


@dataclass(frozen=True, kw_only=True)
class SchemaState:
    """The answers of one schema: for each application that was given, in that order, and for the
    bodies of functions."""

    apps: tuple[tuple[RoleState, ...], ...]
    bodies: BodyState


def read_state(connection: Connection, apps: Sequence[RunningApp]) -> SchemaState:
    """Ask a schema all of it. Only inside an open transaction, and able to become any role;
    nothing stays of it."""
    graph = read_dependency_graph(connection)
    paths = (search_path(connection, role) for each in apps for role in each.app.roles)
    return SchemaState(
        apps=tuple(
            tuple(_role_state(connection, each, role, graph) for role in each.app.roles)
            for each in apps
        ),
        bodies=read_bodies(connection, paths),
    )


def _role_state(
    connection: Connection, app: RunningApp, role: str, graph: DependencyGraph
) -> RoleState:
    references = references_of(app.extraction)
    asked = {each: question_of(each) for each in references}
    questions = [each for each in asked.values() if each is not None]
    others = [each for each, question in asked.items() if question is None]
    if not _exists(connection, role):
        gone = Refusal(sqlstate=_UNDEFINED_OBJECT, message=f'role "{role}" does not exist')
        return RoleState(
            role=role,
            answers=dict.fromkeys(questions, Answer(refused=gone)),
            named=dict.fromkeys(
                filter(is_named, others), NamedState(missing=(f"role {role}",), role=False)
            ),
        )
    path = search_path(connection, role)
    own = _own_path(references, graph, path)
    with as_role(connection, role):
        set_search_path(connection, path)
        answers = ask(connection, questions)
        if own:
            set_search_path(connection, own)
            refused = [each for each, answer in answers.items() if answer.refused is not None]
            answers |= ask(connection, refused)
    named = [each for each in others if is_named(each)]
    named += [each for each in _beside_own_tables(references) if _is_refused(asked[each], answers)]
    return RoleState(
        role=role, answers=answers, named=look_up(connection, named, graph, own or path, role)
    )


def _own_path(
    references: Sequence[CodeReference], graph: DependencyGraph, path: tuple[str, ...]
) -> tuple[str, ...]:
    """The search_path that the code itself chooses, before that of the role; () where it does not.

    Nobody knows which of its connections have it: it counts for what is refused without it.
    """
    chosen = {
        name.parts[0]: None
        for each in references
        for name in each.names
        if name.kind is ReferenceKind.SCHEMA and name.parts[0] in graph.schemas
    }
    return tuple(dict.fromkeys((*chosen, *path))) if chosen.keys() - set(path) else ()


def _beside_own_tables(references: Sequence[CodeReference]) -> list[CodeReference]:
    """What speaks of a relation that the same code makes: the server does not have it yet."""
    made = {name for each in references for name in each.makes}
    return [each for each in references if any(name.parts[-1] in made for name in each.names)]


def _is_refused(question: Question | None, answers: Mapping[Question, Answer]) -> bool:
    return question is not None and answers[question].refused is not None


def _exists(connection: Connection, role: str) -> bool:
    query = "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s"
    return connection.execute(query, (role,)).rowcount > 0
