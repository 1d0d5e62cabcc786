"""The settings of a project; `declarations.settings` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Stub:
    """What stands for an extension on a throwaway server that lacks it: its types and functions as
    they are declared, and nothing else of it."""

    name: str
    types: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    version: str = "1.0"
    schema: str = ""
    trusted: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the project allows; every key has a default but none that lets a check pass.

    Durations are PostgreSQL's: a number with ``ms``, ``s``, ``min`` or ``h``.
    """

    root: Path
    sql: str = "sql"
    checks: str = "checks"
    layout: str = ""
    migrations: str = ""
    tool_history: str = ""
    audit: str = "ops/audit"
    migrator: str = "hk_migrator"
    server: str = "embedded"
    server_version: int = 16
    history_schema: str = "housekeeping"
    lock_timeout: str = "500ms"
    lock_attempts: int = 30
    statement_timeout: str = "15min"
    idle_timeout: str = "5min"
    lock_wait: str = "30s"
    question_timeout: str = "5s"
    question_role: str = ""
    max_locks_held: float = 0.0
    long_transaction: str = "5min"
    max_replica_lag: str = "30s"
    activity_wait: str = "1min"
    window: str = ""
    small_table_mb: float = 10.0
    large_table_mb: float = 1000.0
    hot_table_writes: float = 10.0
    lock_window_statements: int = 10
    lint: bool = True
    require_staging_evidence: bool = True
    evidence_signers: str = ""
    approvals: int = 0
    approvers: str = ""
    mutation_score: float = 0.0
    require_rollback: bool = False
    require_rls_contract: bool = False
    incident_on_failure: bool = False
    generated_code: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    twin: str = ""
    accepted_evidence_faults: tuple[str, ...] = ()
    stubs: tuple[Stub, ...] = ()
    session: Mapping[str, str] = field(default_factory=dict)
    may_move: Mapping[str, str] = field(default_factory=dict)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    irreversible: Mapping[str, str] = field(default_factory=dict)

    @property
    def migrations_folder(self) -> str:
        """Where the migrations are, from the root."""
        return self.migrations or f"{self.sql}/migrations"

    def folder(self, name: str) -> Path:
        """``sql/<name>`` under the root."""
        return self.root / self.sql / name


def milliseconds(duration: str) -> int:
    """A duration of the settings, such as ``5s``."""
    digits = duration.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) * _MILLISECONDS[duration[len(digits) :]]


_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
