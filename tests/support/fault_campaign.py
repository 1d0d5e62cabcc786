"""Faults struck one after the other on the way to production, and the account of what they left."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from support.catalog_text import State
from support.fault_proxy import Fault, FaultProxy, How, Message
from support.forked_runs import Ended, ForkedRuns
from support.production_project import Production, Rehearsal

# How it strikes, and how many messages each later connection may exchange (None: all).
WAYS: dict[str, tuple[How, int | None]] = {
    "before": ("before", None),
    "middle": ("middle", None),
    "after": ("after", None),
    "terminated": ("terminate", None),
    "killed": ("kill", None),
    "interrupted": ("interrupt", None),
    "after, and the server is gone": ("after", 0),
    "after, and the network stays bad": ("after", 9),
}

NOTHING = ("rolled_back", "refused")

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


@dataclass(frozen=True, kw_only=True)
class Whole:
    """An undisturbed promotion or rollback: its traffic, and the state that it leaves."""

    messages: tuple[Message, ...]
    after: State
    stem: str = "second"
    undo: str = ""

    @property
    def begin(self) -> int:
        """Where the one transaction begins."""
        texts = enumerate(self.messages, 1)
        return next(at for at, each in texts if each.text.startswith(_BEGIN))

    @property
    def commit(self) -> int:
        """Where COMMIT is sent."""
        return next(at for at, each in enumerate(self.messages, 1) if each.text == "COMMIT")


@dataclass(kw_only=True)
class Figures:
    """What was tried, and what was found."""

    tried: int = 0
    not_reached: int = 0
    promoted: int = 0
    unchanged: int = 0
    unknown: int = 0
    completed: int = 0
    half_applied: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        return [*self.half_applied, *self.untrue, *self.stuck]


def undisturbed(
    rehearsed: Rehearsal, runs: ForkedRuns, place: Path, stem: str = "second", undo: str = ""
) -> Whole:
    """Run it once as it should go; ``undo`` is the promotion that is taken back, if it is one."""
    production = rehearsed.fresh(place, stem=stem)
    with FaultProxy(production.server.port) as proxy:
        ended = _run(production, runs, proxy, undo=undo)
    assert ended.code == 0, ended.output
    return Whole(messages=tuple(proxy.trace), after=production.state, stem=stem, undo=undo)


@dataclass(kw_only=True)
class Campaign:
    """One fault after the other; what a fault left is what the next run has to cope with.

    After ``chain`` faults, or when the batch is in, a run without any has to complete.
    """

    rehearsed: Rehearsal
    runs: ForkedRuns
    whole: Whole
    place: Path
    chain: int
    _made: int = 0

    def go(self, cases: list[tuple[int, str]], figures: Figures) -> None:
        while cases:
            self._made += 1
            folder = self.place / str(self._made)
            folder.mkdir()
            production = self.rehearsed.fresh(folder, stem=self.whole.stem)
            cases = cases[self._some(production, cases, figures) :]

    def _some(self, production: Production, cases: list[tuple[int, str]], figures: Figures) -> int:
        """Work cases until one of them is in; how many were worked."""
        ledger = Ledger(production=production, whole=self.whole, figures=figures)
        done = 0
        for at, way in cases[: self.chain]:
            done += 1
            how, later = WAYS[way]
            fault = Fault(at=at, how=how, later=later)
            ended, struck = self.strike(production, fault)
            if ledger.take(f"{way} {at}: {self.whole.messages[at - 1]}", fault, ended, struck):
                break
        ended = _run(production, self.runs, None, undo=self.whole.undo)
        if self.whole.undo:
            # What killed rollbacks left is asked for by whatever meets the server next.
            _run(production, self.runs, None, mode="verify")
        ledger.close(ended)
        return done

    def strike(self, production: Production, fault: Fault) -> tuple[Ended, bool]:
        """A promotion that this happens to; how it ended, and whether it got so far."""

        def terminate(pid: int) -> None:
            with production.server.superuser("postgres") as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))

        runner: list[int] = []
        tell = partial(_tell, runner)
        proxy = FaultProxy(production.server.port, fault, terminate=terminate, tell=tell)
        with proxy:
            ended = _run(production, self.runs, proxy, runner, undo=self.whole.undo)
        _wait_for_the_end(production)
        return ended, proxy.struck


@dataclass(kw_only=True)
class Ledger:
    """What the runs on one production claim, against what is true of it."""

    production: Production
    whole: Whole
    figures: Figures
    seen: set[Path] = field(default_factory=set)
    open: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen.update(self.production.project.audits())

    def take(self, case: str, fault: Fault, ended: Ended, struck: bool) -> bool:
        """Judge a run; whether its batch is in."""
        figures = self.figures
        figures.tried += struck
        figures.not_reached += not struck
        state = self.production.state
        promoted = state == self.whole.after
        if not promoted and state != self.production.before:
            figures.half_applied.append(
                "\n".join([case, *self.production.before.differences(state), ended.output])
            )
            return True
        figures.promoted += promoted
        figures.unchanged += not promoted
        audits = self._new_audits()
        self._settle(audits)
        journals = self._journals()
        for stem in journals - set(self.open):
            self.open[stem] = (case, promoted)
        for stem, outcome in audits.items():
            self._judge(case, stem, outcome, promoted=promoted, down=fault.later is not None)
        if not audits and not journals and (promoted or fault.how != "kill"):
            figures.untrue.append(f"{case}: no audit and no journal\n{ended.output}")
        if ended.code == 0 and not promoted:
            figures.untrue.append(f"{case}: exit code 0, and nothing is in\n{ended.output}")
        return promoted

    def close(self, ended: Ended) -> None:
        """A run without a fault: it completes, and says of killed ones what is true."""
        state = self.production.state
        done = ended.code == 0 or "was undone already, by run" in ended.output
        if not done or state != self.whole.after:
            self.figures.stuck.append(
                "\n".join([*self.whole.after.differences(state), ended.output])
            )
            return
        self.figures.completed += 1
        self._settle(self._new_audits())
        for stem, (case, _) in self.open.items():
            self.figures.untrue.append(f"{case}: the journal {stem} was never made an audit")

    def _settle(self, audits: dict[str, str]) -> None:
        """Audits that a later run has made of the journals that killed ones left."""
        for stem in sorted(set(audits) & set(self.open)):
            case, promoted = self.open.pop(stem)
            outcome = audits.pop(stem)
            if outcome == "promoted_unproved" and promoted:
                continue  # it is in, and its journal does not know of a look behind COMMIT
            self._judge(case, stem, outcome, promoted=promoted, down=False)

    def _judge(self, case: str, stem: str, outcome: str, *, promoted: bool, down: bool) -> None:
        if outcome == "unknown":
            self.figures.unknown += 1
            if not down:
                self.figures.untrue.append(f"{case}: {stem} says unknown of a server in reach")
        elif outcome == "promoted_unproved" and promoted and down:
            pass  # it is in, and nobody could read the schema behind COMMIT
        elif (outcome == "promoted") is not promoted or outcome not in ("promoted", *NOTHING):
            truth = "in" if promoted else "not in"
            self.figures.untrue.append(f"{case}: {stem} says {outcome}, and the batch is {truth}")

    def _new_audits(self) -> dict[str, str]:
        found = {}
        for path in sorted(self.production.project.audits()):
            if path not in self.seen:
                self.seen.add(path)
                audit: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                found[path.stem] = str(audit["run"]["outcome"])
        return found

    def _journals(self) -> set[str]:
        """Those without an audit: one whose audit is not committed yet stays beside it."""
        folder = self.production.root / "ops" / "audit"
        stems = {path.name.partition(".")[0] for path in folder.glob("*.journal*")}
        return stems - {path.stem for path in self.seen}


def _run(
    production: Production,
    runs: ForkedRuns,
    proxy: FaultProxy | None,
    runner: list[int] | None = None,
    undo: str = "",
    mode: str = "prod",
) -> Ended:
    arguments = production.arguments("PROMOTE" if mode == "prod" else None, mode=mode)
    if undo:
        arguments = [*production.arguments("ROLLBACK", mode="rollback"), f"--hk-to={undo}"]
    port = {} if proxy is None else {"PGPORT_PROD": str(proxy.port)}
    output = production.project.scratch.parent / "output"
    started = runs.start(production.root, arguments, production.environment(**port), output)
    if runner is not None:
        runner.append(started)
    return runs.wait()


def _tell(runner: list[int], how: How) -> None:
    with suppress(ProcessLookupError):
        os.kill(runner[0], signal.SIGKILL if how == "kill" else signal.SIGINT)


def _wait_for_the_end(production: Production) -> None:
    """Until the server has noticed that nobody talks to it any more."""
    deadline = time.monotonic() + 10
    with production.server.superuser() as connection:
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone():
            assert time.monotonic() < deadline, "a session of the promotion stays"
            time.sleep(0.005)
            connection.execute("SELECT pg_stat_clear_snapshot()")
