"""The roles that sql/bootstrap/ makes: tried on an empty server, and kept by what has made them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.replay import run_bootstrap
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import build_facts
from pytest_housekeeping.sql.text import digest_of_facts

# What PostgreSQL has of a role, each as the word of CREATE ROLE that would give it.
ATTRIBUTES = ", ".join(
    f"CASE WHEN {column} THEN '{word}' ELSE 'NO{word}' END"
    for column, word in (
        ("rolsuper", "SUPERUSER"),
        ("rolbypassrls", "BYPASSRLS"),
        ("rolcreaterole", "CREATEROLE"),
        ("rolcreatedb", "CREATEDB"),
        ("rolreplication", "REPLICATION"),
        ("rolcanlogin", "LOGIN"),
        ("rolinherit", "INHERIT"),
    )
)
_QUERY = f"SELECT rolname, {ATTRIBUTES} FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
Roles = dict[str, set[str]]


@dataclass(frozen=True, kw_only=True)
class PromisedRoles:
    """What is known of them; ``key`` is the digest of all that they are made of, "" of nothing."""

    folder: Path
    key: str

    @cached_property
    def known(self) -> Roles | None:
        """Each with its attributes; None where they have to be tried. The same for all of a run."""
        if not self.key:
            return {}
        entry = read_entries(self._file).get(self.key, {})
        try:
            return {name: set(attributes) for name, attributes in entry["roles"].items()}
        except (KeyError, TypeError, AttributeError):
            return None

    def keep(self, roles: Roles) -> None:
        fields = {name: sorted(attributes) for name, attributes in roles.items()}
        write_entries(self._file, {}, {self.key: {"roles": fields}})

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.key}.json"


def promised_roles(context: RunContext, server: tuple[str, int]) -> PromisedRoles:
    """What is known of them, on a server of this kind and major version."""
    config, plan = context.config, context.plan
    facts = [
        build_facts(*server),
        (config.migrator, config.layout, dict(config.session), repr(config.stubs_and_marks)),
        config.platform,
        [(path, plan.sources.digest(path)) for path in plan.bootstrap],
    ]
    key = digest_of_facts(facts) if config.platform or plan.bootstrap else ""
    return PromisedRoles(folder=default_folder("promised-roles"), key=key)


def made_roles(context: RunContext, throwaway: Throwaway) -> Roles:
    """What the files make of an empty server: each role with its attributes."""
    before = _roles_of(throwaway)
    run_bootstrap(context, throwaway)
    after = _roles_of(throwaway)
    return {name: attributes for name, attributes in after.items() if name not in before}


def _roles_of(throwaway: Throwaway) -> Roles:
    with throwaway.superuser() as connection:
        rows = connection.execute(_QUERY.encode()).fetchall()
    return {name: set(attributes) for name, *attributes in rows}
