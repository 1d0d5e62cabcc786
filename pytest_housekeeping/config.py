"""The settings of a project; `declarations.settings` reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The target that there is without any setting: the database of PGHOST_PROD and its like.
PRODUCTION = "prod"
# How the pin of any other target is called in its folder.
PIN = "target.json"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One database that the project is promoted to: ``[tool.housekeeping.targets.NAME]``.

    ``env`` is what its variables end with (``PREPROD``: ``PGHOST_PREPROD``), or begin with where it
    ends with ``_`` (``PREPROD_``: ``PREPROD_PGHOST``). It takes only what was promoted to ``after``
    first, and that as long ago as ``soak`` says. With ``seeds`` it gets the rows of sql/seeds/ as
    well. ``confirm`` is the word of a promotion, and ``audit`` is where its evidence lies. One of a
    ``fleet`` has the fleet's variables, and of its own what the list of databases says:
    ``database``, where it is elsewhere ``host`` and ``port``, and ``names`` that differ from one to
    the other, by what they stand for; ``neighbours`` are those of the others.
    """

    name: str = PRODUCTION
    env: str = "PROD"
    after: str = ""
    soak: str = ""
    seeds: bool = False
    confirm: str = "PROMOTE"
    audit: str = "ops/audit"
    fleet: str = ""
    database: str = ""
    host: str = ""
    port: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    neighbours: Collection[str] = ()

    def variable(self, part: str) -> str:
        """The name of one of its variables: of ``PGHOST``, say."""
        return f"{self.env}{part}" if self.env.endswith("_") else f"{part}_{self.env}"

    @property
    def variables(self) -> str:
        """How all of them are called: ``PG*_PROD``."""
        return self.variable("PG*")

    @property
    def option(self) -> str:
        """What a command line needs for it, with a blank before it: nothing for production."""
        return "" if self.name == PRODUCTION else f" --hk-target={self.name}"

    @property
    def everywhere(self) -> str:
        """The same for the whole fleet, of one that is in a fleet."""
        fleet = fleet_of(self.name)
        return f" --hk-fleet={fleet}" if fleet else self.option

    @property
    def promotion(self) -> str:
        """The command that promotes to it."""
        return f"pytest --hk-mode=prod{self.option} --hk-confirm={self.confirm}"

    @property
    def pin(self) -> str:
        """The committed file that says which database it is, from the rootdir."""
        return "ops/production.json" if self.name == PRODUCTION else f"ops/{self.name}/{PIN}"


def fleet_of(target: str) -> str:
    """The fleet of a target that is one of a fleet, ``tenants/acme``; "" of any other."""
    fleet, _, one = target.partition("/")
    return fleet if one else ""


@dataclass(frozen=True, kw_only=True)
class Stub:
    """What stands for an extension on a throwaway server that lacks it: its types and functions as
    they are declared, and nothing else of it."""

    name: str
    types: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    access_methods: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    operator_classes: tuple[str, ...] = ()
    version: str = "1.0"
    schema: str = ""
    trusted: bool = False

    @property
    def is_mark(self) -> bool:
        """Of one that declares nothing, the extension that a server has is marked as trusted."""
        return not (self.types or self.functions)


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Many databases of one schema: ``[tool.housekeeping.fleet.NAME]``.

    They are listed by a file (``databases``), by a ``query`` on the database of the variables that
    ``registry`` names, or by a ``command``. ``canary`` is how many go first, ``waves`` how many per
    cent are in after each step, and ``failures`` how many may fail before nothing more is begun.
    They take only what was promoted to ``after`` first, a target or another fleet, and to a target
    as long ago as ``soak`` says. In ``audit`` lies what staging has proved for them, and the record
    of each wave.
    """

    name: str
    env: str
    databases: str = ""
    query: str = ""
    registry: str = ""
    command: tuple[str, ...] = ()
    canary: int = 1
    waves: tuple[int, ...] = (10, 50, 100)
    failures: int = 0
    after: str = ""
    soak: str = ""
    confirm: str = "PROMOTE"
    audit: str = ""

    @property
    def everywhere(self) -> str:
        """What a command line needs for it, with a blank before it."""
        return f" --hk-fleet={self.name}"

    @property
    def promotion(self) -> str:
        """The command that promotes to all of it."""
        return f"pytest --hk-mode=prod{self.everywhere} --hk-confirm={self.confirm}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the project allows; every key has a default but none that lets a check pass.

    Durations are PostgreSQL's: a number with ``ms``, ``s``, ``min`` or ``h``.
    """

    root: Path
    sql: str = "sql"
    checks: str = "checks"
    layout: str = ""
    platform: str = ""
    migrations: str = ""
    tool_history: str = ""
    baseline: str = ""
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
    known_days: int = 7
    generated_code: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    twin: str = ""
    accepted_evidence_faults: tuple[str, ...] = ()
    stubs: tuple[Stub, ...] = ()
    trusted_extensions: tuple[str, ...] = ()
    session: Mapping[str, str] = field(default_factory=dict)
    may_move: Mapping[str, str] = field(default_factory=dict)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    irreversible: Mapping[str, str] = field(default_factory=dict)
    rows_only: Mapping[str, str] = field(default_factory=dict)
    as_superuser: Mapping[str, str] = field(default_factory=dict)
    target: Target = field(default_factory=Target)
    fleets: Mapping[str, Fleet] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=lambda: {PRODUCTION: Target()})

    @property
    def migrations_folder(self) -> str:
        """Where the migrations are, from the root."""
        return self.migrations or f"{self.sql}/migrations"

    @property
    def stubs_and_marks(self) -> tuple[Stub, ...]:
        """What the embedded servers have besides their own: the stubs, and that the migrator may
        make these extensions, as in production."""
        marks = (Stub(name=name, trusted=True) for name in self.trusted_extensions)
        return (*self.stubs, *marks)

    @property
    def pins(self) -> tuple[str, ...]:
        """The pins of all targets."""
        return tuple(target.pin for target in self.targets.values())

    def called(self, name: str) -> Target | Fleet:
        """The target or the fleet of a name, such as an ``after``."""
        return self.fleets.get(name) or self.targets[name]

    @property
    def first_in_row(self) -> Target | Fleet:
        """Where a promotion to the target begins: with what comes after nothing."""
        first: Target | Fleet = self.target
        while first.after:
            first = self.called(first.after)
        return first

    @property
    def audit_folders(self) -> tuple[str, ...]:
        """Where the evidence of all targets lies: what staging has proved, it has proved of the
        files, whichever target it was run for."""
        targets = (each.audit for each in self.targets.values())
        fleets = (each.audit for each in self.fleets.values())
        return tuple(dict.fromkeys((self.audit, *targets, *fleets)))

    def folder(self, name: str) -> Path:
        """``sql/<name>`` under the root."""
        return self.root / self.sql / name


def milliseconds(duration: str) -> int:
    """A duration of the settings, such as ``5s``."""
    digits = duration.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) * _MILLISECONDS[duration[len(digits) :]]


_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
