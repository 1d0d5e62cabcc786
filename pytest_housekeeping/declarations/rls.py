"""The row-level-security contract: what is protected, from whom, and what is exempt."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_housekeeping.declarations.exemptions import RuleExemption, rule_exemptions
from pytest_housekeeping.declarations.identity import Claim, parse_context
from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    read_declaration,
    tables_of,
    text_of,
    texts_of,
)
from pytest_housekeeping.errors import MisuseError

_WHY = "a contract that is misread would protect something else than was meant"
_KEYS = {
    "schemas": True,
    "roles": True,
    "context": True,
    "public": False,
    "exempt": False,
    "policy": False,
}
_PUBLIC_KEYS = {"table": True, "reason": True, "rows": False}
_POLICY_KEYS = {
    "table": True,
    "name": True,
    "command": False,
    "permissive": False,
    "roles": False,
    "using": False,
    "check": False,
}
_COMMANDS = ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredPolicy:
    """A policy that must be there, its expressions as PostgreSQL prints them.

    A table with one declared policy has no other than the declared ones.
    """

    table_object: str
    name: str
    command: str = "ALL"
    permissive: bool = True
    roles: tuple[str, ...] = ("public",)
    using_expression: str | None = None
    check_expression: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicRows:
    """Rows that everybody may read, and nobody may change for that: those of a table for which
    the condition ``rows`` is true."""

    table: str
    reason: str
    rows: str = "true"


@dataclass(frozen=True, kw_only=True, slots=True)
class RlsContract:
    """Every table in ``schemas`` is protected from ``roles``.

    ``context`` names the settings that carry the identity of a session, ``claims`` what of the
    JSON in them does. ``public`` are rows that are meant to be read by everybody.
    """

    schemas: tuple[str, ...]
    roles: tuple[str, ...]
    context: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    public: tuple[PublicRows, ...] = ()
    exemptions: tuple[RuleExemption, ...] = ()
    policies: tuple[DeclaredPolicy, ...] = ()

    @property
    def identity(self) -> tuple[Claim, ...]:
        """The values that make up an identity, in the order of ``context``."""
        return tuple(
            claim
            for setting in self.context
            for claim in [each for each in self.claims if each.setting == setting]
            or [Claim(setting=setting)]
        )

    def public_json(self) -> str:
        """The public rows as the rules read them."""
        return json.dumps([asdict(each) for each in self.public])

    def policies_json(self) -> str:
        """The declared policies as the rules read them."""
        return json.dumps([asdict(policy) for policy in self.policies])


def parse_rls(
    text: str, *, known_rules: Collection[str], path: str = "checks/rls.toml"
) -> RlsContract:
    """Read ``checks/rls.toml``. Raises MisuseError that names every problem of the file."""
    problems = Problems(path)
    document = read_declaration(text, _KEYS, problems)
    context, claims = parse_context(document, problems)
    contract = RlsContract(
        schemas=texts_of(document, "schemas", "the file", problems, kind="schema names"),
        roles=texts_of(document, "roles", "the file", problems, kind="role names"),
        context=context,
        claims=claims,
        public=_public(document, problems),
        exemptions=rule_exemptions(document, known_rules, problems),
        policies=_policies(document, problems),
    )
    problems.raise_any(why=_WHY)
    return contract


def context_of(text: str) -> tuple[str, ...]:
    """What ``context`` of a ``checks/rls.toml`` names, whatever else stands there."""
    try:
        named = tomllib.loads(text).get("context", [])
    except tomllib.TOMLDecodeError:
        return ()
    settings = (each.get("setting") if isinstance(each, dict) else each for each in named)
    return tuple(dict.fromkeys(each for each in settings if isinstance(each, str)))


def full_name(name: str, context: tuple[str, ...], *, asked: str) -> str:
    """The setting that a name without a dot stands for. Raises MisuseError unless it is one."""
    if "." in name:
        return name
    found = [setting for setting in context if setting.rpartition(".")[2] == name]
    if len(found) != 1:
        raise MisuseError(
            f"{asked}: the setting {name!r} is {'ambiguous' if found else 'unknown'}",
            why="a test under a wrong identity would prove nothing",
            fix=f"context of rls.toml is {', '.join(context) or 'empty'}; or write it with its dot",
        )
    return found[0]


def _public(document: Mapping[str, Any], problems: Problems) -> tuple[PublicRows, ...]:
    found: dict[str, PublicRows] = {}
    for number, table in enumerate(tables_of(document, "public", problems), start=1):
        where = f"[[public]] {number}"
        expect_keys(table, _PUBLIC_KEYS, where, problems)
        public = PublicRows(
            table=text_of(table, "table", where, problems),
            reason=text_of(table, "reason", where, problems),
            rows=text_of(table, "rows", where, problems) or "true",
        )
        if public.table in found:
            problems.add(f"{where} repeats {public.table}")
        found[public.table] = public
    return tuple(found.values())


def _policies(document: Mapping[str, Any], problems: Problems) -> tuple[DeclaredPolicy, ...]:
    found: dict[tuple[str, str], DeclaredPolicy] = {}
    for number, table in enumerate(tables_of(document, "policy", problems), start=1):
        where = f"[[policy]] {number}"
        expect_keys(table, _POLICY_KEYS, where, problems)
        permissive = table.get("permissive", True)
        if not isinstance(permissive, bool):
            problems.add(f"'permissive' of {where} is {permissive!r}, neither true nor false")
        policy = DeclaredPolicy(
            table_object=text_of(table, "table", where, problems),
            name=text_of(table, "name", where, problems),
            command=text_of(table, "command", where, problems) or "ALL",
            permissive=permissive is not False,
            roles=texts_of(table, "roles", where, problems, kind="role names") or ("public",),
            using_expression=text_of(table, "using", where, problems) or None,
            check_expression=text_of(table, "check", where, problems) or None,
        )
        if policy.command not in _COMMANDS:
            problems.add(
                f"{where} has the command {policy.command!r}{closest(policy.command, _COMMANDS)}"
            )
        key = (policy.table_object, policy.name)
        if key in found:
            problems.add(f"{where} repeats the policy {key[1]} of {key[0]}")
        found[key] = policy
    return tuple(found.values())
