"""The facts that pass between the parts: frozen, without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pytest_housekeeping.errors import part_of


class Mode(StrEnum):
    """What ``--hk-mode`` was given."""

    STAGING = "staging"
    PLAN = "plan"
    PROD = "prod"
    VERIFY = "verify"
    ROLLBACK = "rollback"


class Phase(StrEnum):
    """The phases of a promotion, in the order in which they run."""

    PRECHECK = "precheck"
    BACKUP = "backup"
    REHEARSE = "rehearse"
    APPLY = "apply"
    SEED = "seed"
    VERIFY = "verify"
    TRIPWIRE = "tripwire"
    PROMOTE = "promote"
    AFTER = "after"


class Kind(StrEnum):
    """What a step does; a stable name of the audit."""

    PRECHECK = "precheck"
    BACKUP = "backup"
    REHEARSAL = "rehearsal"
    MIGRATION = "migration"
    VIEW = "view"
    POLICY = "policy"
    SEED = "seed"
    OBJECT = "object"
    QUERY = "query"
    TEST = "test"
    RLS = "rls"
    BOUNDARY = "boundary"
    LINT = "lint"
    TRIPWIRE = "tripwire"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REPEATABLE = "repeatable"
    AFTER = "after"


class ProvedOn(StrEnum):
    """On which database a step has shown something; a stable name of the audit."""

    TWIN = "twin"
    CLONE = "clone"
    TARGET = "target"
    NOWHERE = ""


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunOutcome(StrEnum):
    """How a run ended; a stable name of the audit."""

    PROMOTED = "promoted"
    PROMOTED_IN_PART = "promoted_in_part"
    PROMOTED_UNPROVED = "promoted_unproved"
    NOTHING_TO_PROMOTE = "nothing_to_promote"
    PLANNED = "planned"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """How grave a finding is: only an ``error`` fails its step."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place in a file of the project: its path from the rootdir, line and column from 1."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a check saw: the rule, the object as one would type it, SQL that repairs it
    (``fix``), and SQL that shows it (``leak``).

    ``role`` is the role that it is about, as one would type it, where it is about one; ``because``
    the rule and the object of the finding that it follows from, where the check knows it.
    """

    rule: str
    level: Level
    object: str
    detail: str
    fix: str = ""
    leak: str = ""
    role: str = ""
    because: str = ""

    def __str__(self) -> str:
        lines = [f"{self.rule} [{self.level}] {self.object}: {self.detail}"]
        lines += [part_of("fix", self.fix)] if self.fix else []
        lines += [part_of("see it", self.leak)] if self.leak else []
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A lock that a file newly took on a relation that existed before it."""

    relation: str
    mode: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """How often a file has read a table that stood before it, from end to end and by an index."""

    relation: str
    count: int
    by_index: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerMessage:
    """What the server said beside its answer: NOTICE, WARNING."""

    level: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LetStand:
    """What an exemption lets stand, and its reason."""

    rule: str
    object: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one verification saw. It passed when something was examined and no error was found.

    ``coverage`` says, a line each, how much of it could be judged, where that is not all;
    ``shown_at`` when it was shown, where an earlier run has, of the same things; ``exempted`` what
    is no finding because an exemption lets it stand.
    """

    examined: int
    findings: tuple[Finding, ...] = ()
    unit: str = "objects"
    evidence: tuple[str, ...] = ()
    coverage: tuple[str, ...] = ()
    shown_at: str = ""
    exempted: tuple[LetStand, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is Level.ERROR)

    @property
    def passed(self) -> bool:
        """Nothing passes vacuously: zero objects examined is no pass."""
        return self.examined > 0 and not self.errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What applying one file did: statements, rows, new locks, and what had to be put back.

    Where it is measured, on a copy: every lock, ``scans``, and the ``messages`` of the server.
    """

    statements: int
    rows: int
    duration_s: float
    locks: tuple[Lock, ...] = ()
    put_back: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()
    messages: tuple[ServerMessage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeFile:
    """A file that ran as Python or steered the run; ``path`` is relative to the rootdir."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A distribution that is installed, or Python itself; ``name`` is normalized as in PEP 503."""

    name: str
    version: str


# The unit of what lets a finding stand.
EXEMPTIONS = "exemptions"
ROWS, CLONE = "rows", "clone"
"""The steps of a rehearsal that ask production's rows, and a clone that has them."""

_ELSEWHERE = {ROWS: ProvedOn.TARGET, CLONE: ProvedOn.CLONE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that the plan requires. Its id is stable and is the node id of its item.

    ``segment`` counts from 1; 0 marks a step that belongs to none (prechecks, lint).
    """

    id: str
    phase: Phase
    kind: Kind
    path: str = ""
    name: str = ""
    sha256: str = ""
    segment: int = 0

    @property
    def proved_on(self) -> ProvedOn:
        """Where the step shows what it shows: on the restored copy, on a clone that has the
        target's rows, or on the target itself."""
        if self.phase is Phase.REHEARSE:
            asked = _ELSEWHERE.get(self.name) if self.kind is Kind.REHEARSAL else None
            return asked or ProvedOn.TWIN
        if self.kind is Kind.LINT or self.phase in (Phase.PRECHECK, Phase.BACKUP):
            return ProvedOn.NOWHERE
        return ProvedOn.TARGET


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """How one step ended, with what it examined and found."""

    step: Step
    outcome: Outcome
    duration_s: float = 0.0
    examined: int = 0
    message: str = ""
    statements: int = 0
    rows: int = 0
    locks: tuple[Lock, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    coverage: tuple[str, ...] = ()
    shown_at: str = ""
    exempted: tuple[LetStand, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LockConflict:
    """The batch met somebody else's lock at a step, for the ``number``-th time there; ``found`` is
    what the server said, ``in_the_way`` who was seen holding it up, a line each."""

    step: str
    number: int
    at: datetime
    found: str
    in_the_way: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetIdentity:
    """Where a connection leads, as PostgreSQL itself says it; without secrets. ``timeline`` is what
    a primary writes: None where it was not asked for, or is not told."""

    host: str
    port: int
    database: str
    user: str
    server_version: str
    system_identifier: str
    timeline: int | None = None
