"""Apps, zones and the contracts between them: who may reach whose part of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    named_tables_of,
    read_declaration,
    tables_of,
    text_of,
    texts_of,
)

FORBIDDEN = "forbidden"
ALLOWED = "allowed"

_WHY = "a contract that is misread guards another door than the one that was meant"
# [[exempt]] is about code: exemptions reads it.
_KEYS = {"apps": False, "zones": False, "contract": False, "exempt": False}
_APP_KEYS = {"roles": True, "schemas": True, "code": False, "tests": False}
_ZONE_KEYS = {"schemas": False, "tables": False}
_CONTRACT_KEYS = {"name": True, "type": True, "source": True, "target": True}


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """An application: the roles that it connects as, the schemas that are its own, its code, and
    the paths of its own tests, which staging runs on the promoted database."""

    name: str
    roles: tuple[str, ...]
    schemas: tuple[str, ...]
    code: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A part of the database that no application owns: whole schemas, or single tables."""

    name: str
    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What ``source``, an app, may (``allowed``) or must not (``forbidden``) reach."""

    name: str
    type: str
    source: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Boundaries:
    """Everything that ``checks/boundaries.toml`` declares."""

    apps: tuple[App, ...] = ()
    zones: tuple[Zone, ...] = ()
    contracts: tuple[Contract, ...] = ()

    @property
    def on_code(self) -> tuple[Contract, ...]:
        """The contracts that the code of their source has to keep as well."""
        return tuple(each for each in self.contracts if self.source(each).code)

    def first_on_code(self, app: str) -> Contract | None:
        """The contract that tells what concerns an application's code, and no contract."""
        return next((each for each in self.on_code if each.source == app), None)

    def source(self, contract: Contract) -> App:
        return next(app for app in self.apps if app.name == contract.source)

    def target(self, contract: Contract) -> App | Zone:
        return next(part for part in self.parts if part.name == contract.target)

    @property
    def parts(self) -> tuple[App | Zone, ...]:
        return (*self.apps, *self.zones)


def parse_boundaries(text: str, *, path: str = "checks/boundaries.toml") -> Boundaries:
    """Read ``checks/boundaries.toml``. Raises MisuseError that names every problem of the file."""
    problems = Problems(path)
    document = read_declaration(text, _KEYS, problems)
    apps = tuple(_apps(document, problems))
    zones = tuple(_zones(document, problems))
    _refuse_shared(apps, zones, problems)
    contracts = tuple(_contracts(document, problems))
    _refuse_undeclared(apps, zones, contracts, problems)
    _refuse_contradictions(contracts, problems)
    problems.raise_any(why=_WHY)
    return Boundaries(apps=apps, zones=zones, contracts=contracts)


def undeclared_pairs(boundaries: Boundaries) -> list[tuple[str, str]]:
    """An app and another part of which no contract says whether the app may reach it."""
    declared = {(each.source, each.target) for each in boundaries.contracts}
    return [
        (app.name, part.name)
        for app in boundaries.apps
        for part in boundaries.parts
        if part.name != app.name and (app.name, part.name) not in declared
    ]


def _apps(document: Mapping[str, Any], problems: Problems) -> Iterable[App]:
    for name, table in named_tables_of(document, "apps", problems).items():
        where = f"[apps.{name}]"
        expect_keys(table, _APP_KEYS, where, problems)
        yield App(
            name=name,
            roles=texts_of(table, "roles", where, problems, kind="role names"),
            schemas=texts_of(table, "schemas", where, problems, kind="schema names"),
            code=texts_of(table, "code", where, problems, kind="file patterns", may_be_empty=True),
            tests=texts_of(table, "tests", where, problems, kind="paths", may_be_empty=True),
        )


def _zones(document: Mapping[str, Any], problems: Problems) -> Iterable[Zone]:
    for name, table in named_tables_of(document, "zones", problems).items():
        where = f"[zones.{name}]"
        expect_keys(table, _ZONE_KEYS, where, problems)
        if not _ZONE_KEYS.keys() & table.keys():
            problems.add(f"{where} names neither schemas nor tables: it would hold nothing")
        yield Zone(
            name=name,
            schemas=texts_of(table, "schemas", where, problems, kind="schema names"),
            tables=texts_of(
                table,
                "tables",
                where,
                problems,
                valid=lambda value: "." in value,
                kind="tables, which are written 'schema.table'",
            ),
        )


def _contracts(document: Mapping[str, Any], problems: Problems) -> Iterable[Contract]:
    for number, table in enumerate(tables_of(document, "contract", problems), start=1):
        where = f"[[contract]] {number}"
        expect_keys(table, _CONTRACT_KEYS, where, problems)
        contract = Contract(
            name=text_of(table, "name", where, problems),
            type=text_of(table, "type", where, problems),
            source=text_of(table, "source", where, problems),
            target=text_of(table, "target", where, problems),
        )
        if contract.type and contract.type not in (FORBIDDEN, ALLOWED):
            problems.add(
                f"{where} is of type {contract.type!r}"
                f"{closest(contract.type, (FORBIDDEN, ALLOWED))}"
            )
        yield contract


def _refuse_shared(apps: Iterable[App], zones: Iterable[Zone], problems: Problems) -> None:
    """A role, schema or table that belongs to two parts would stand on both sides of a border."""
    owners: dict[tuple[str, str], str] = {}
    names: set[str] = set()
    parts: list[App | Zone] = [*apps, *zones]
    for part in parts:
        if part.name in names:
            problems.add(f"{part.name!r} is declared as an app and as a zone")
        names.add(part.name)
        for kind, values in (
            ("role", part.roles),
            ("schema", part.schemas),
            ("table", part.tables),
        ):
            for value in values:
                other = owners.setdefault((kind, value), part.name)
                if other != part.name:
                    problems.add(f"the {kind} {value!r} belongs to {other!r} and to {part.name!r}")


def _refuse_undeclared(
    apps: Iterable[App], zones: Iterable[Zone], contracts: Iterable[Contract], problems: Problems
) -> None:
    app_names = {app.name for app in apps}
    zone_names = {zone.name for zone in zones}
    for contract in contracts:
        where = f"contract {contract.name!r}"
        if contract.source in zone_names - app_names:
            problems.add(f"{where} starts at the zone {contract.source!r}, which has no role")
        elif contract.source and contract.source not in app_names:
            problems.add(
                f"{where} starts at {contract.source!r}, which is not declared"
                f"{closest(contract.source, app_names)}"
            )
        if contract.target and contract.target not in app_names | zone_names:
            problems.add(
                f"{where} leads to {contract.target!r}, which is not declared"
                f"{closest(contract.target, app_names | zone_names)}"
            )


def _refuse_contradictions(contracts: Iterable[Contract], problems: Problems) -> None:
    pairs: dict[tuple[str, str], Contract] = {}
    names: set[str] = set()
    for contract in contracts:
        if contract.name and contract.name in names:
            problems.add(f"two contracts have the name {contract.name!r}")
        names.add(contract.name)
        pair = (contract.source, contract.target)
        if not all(pair):
            continue
        if contract.type == FORBIDDEN and contract.source == contract.target:
            problems.add(f"contract {contract.name!r} forbids {contract.source!r} its own part")
        other = pairs.setdefault(pair, contract)
        if other is not contract:
            words = "repeats" if other.type == contract.type else "contradicts"
            problems.add(f"contract {contract.name!r} {words} {other.name!r}")
