"""A fleet that is killed again and again on its way, and the account of what that left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.fleet_project import FLEET
from support.forked_runs import Ended, ForkedRuns
from support.fresh_copy import git
from support.more_databases import variables
from support.production_project import Production

SETTINGS = FLEET.replace("lint = false", "lint = false\nrequire_staging_evidence = false")
_IN = ("promoted", "promoted_unproved")
_OUT = ("rolled_back", "refused", "nothing_to_promote")


@dataclass(kw_only=True)
class FleetFigures:
    """What was tried, and what was found."""

    killed: int = 0
    ended_before: int = 0
    completed: int = 0
    twice: list[str] = field(default_factory=list)
    half_applied: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        return [*self.twice, *self.half_applied, *self.untrue, *self.stuck]


@dataclass(kw_only=True)
class FleetCampaign:
    """One kill after the other, each at a moment of its own; after ``chain`` of them, and when all
    is in, a run to the end, and a further file is pending."""

    fleet: Production
    names: Sequence[str]
    runs: ForkedRuns
    random: Random
    figures: FleetFigures
    chain: int = 3
    _files: int = 0
    _whole_s: float = 0.0

    def go(self, kills: int) -> None:
        self.add_file()
        self._to_the_end()
        while self.figures.killed < kills and not self.figures.troubles:
            self.add_file()
            for _ in range(min(self.chain, kills - self.figures.killed)):
                if not self._strike(self.random.random() * self._whole_s):
                    break
            self._to_the_end()

    def add_file(self) -> None:
        """It takes two statements, of which nobody may see one."""
        self._files += 1
        text = "".join(
            f"ALTER TABLE desk.ticket ADD COLUMN {half}{self._files} integer;\n"
            for half in ("one", "other")
        )
        self.fleet.project.write({f"sql/migrations/{1000 + self._files}_both.sql": text})
        self.fleet.project.commit(f"file {self._files}")

    def _strike(self, after_s: float) -> bool:
        """Whether the run was killed at that moment, with all that it has started."""
        runner = self._start()
        time.sleep(after_s)
        with suppress(ProcessLookupError):
            os.killpg(runner, signal.SIGKILL)
        ended = self.runs.wait()
        killed = ended.code == -signal.SIGKILL
        self.figures.killed += killed
        self.figures.ended_before += not killed
        self._wait_for_the_end()
        self.look(f"kill {self.figures.killed}, after {after_s:.2f} s")
        return killed

    def _to_the_end(self) -> None:
        began = time.monotonic()
        self._start()
        ended = self.runs.wait()
        self._whole_s = self._whole_s or time.monotonic() - began
        self.look("a run to the end")
        if ended.code != 0:
            self.figures.stuck.append(ended.output)
            return
        self.figures.completed += 1
        self.judge_records(ended)

    def _start(self) -> int:
        ways = variables(self.fleet, "TENANTS")
        arguments = [*self.fleet.arguments(), "--hk-fleet=tenants", "-v"]
        output = self.fleet.project.scratch.parent / "output"
        return self.runs.start(self.fleet.root, arguments, self.fleet.environment(**ways), output)

    def look(self, case: str) -> None:
        """What the databases say: each file once, and all of it or nothing."""
        for name in self.names:
            counts = Counter(path for _, path in self.history(name))
            self.figures.twice += [f"{case}: {name}: {p}" for p, n in counts.items() if n > 1]
            told = {path for path in counts if path.endswith("_both.sql")}
            made = Counter(self._made(name))
            halves = {
                f"sql/migrations/{1000 + n}_both.sql" for n, seen in made.items() if seen == 2
            }
            if told != halves or any(seen != 2 for seen in made.values()):
                self.figures.half_applied.append(f"{case}: {name}: {sorted(told ^ halves)}, {made}")

    def history(self, name: str) -> list[tuple[str, str]]:
        """Each run with each file that it has applied."""
        with self.fleet.server.superuser(name) as connection:
            there = connection.execute("SELECT to_regclass('housekeeping.history')").fetchone()
            if there == (None,):
                return []
            return connection.execute("SELECT run, path FROM housekeeping.history").fetchall()

    def _made(self, name: str) -> Iterator[int]:
        with self.fleet.server.superuser(name) as connection:
            for (column,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('desk.ticket')"
                " AND attname ~ '^(one|other)[0-9]+$' AND NOT attisdropped"
            ).fetchall():
                yield int(column.removeprefix("one").removeprefix("other"))

    def judge_records(self, ended: Ended) -> None:
        """Every record that there is says what the databases say, and is committed, but for those
        of runs that have begun nothing."""
        untrue, root = self.figures.untrue, self.fleet.root
        committed = self._committed()
        done = {name: {run for run, _ in self.history(name)} for name in self.names}
        for name in self.names:
            folder = root / "ops/tenants" / name / "audit"
            audits = [self._json(each) for each in sorted(folder.glob("prod_*.json"))]
            outcomes = {audit["run"]["id"]: audit["run"]["outcome"] for audit in audits}
            for run, outcome in outcomes.items():
                if outcome not in (_IN if run in done[name] else _OUT):
                    untrue.append(f"{name}: {run} says {outcome}; in are {done[name]}")
            untrue += [f"{name}: no audit of {run}" for run in done[name] - outcomes.keys()]
            untrue += [f"{name}: {each.name} stays" for each in folder.glob("*.journal*")]
            names = {f"ops/tenants/{name}/audit/{each.name}" for each in folder.glob("prod_*.json")}
            untrue += [f"{each} is not committed" for each in names - committed]
        for place in sorted((root / "ops/tenants/audit").glob("fleet_*.json")):
            record = self._json(place)
            untrue += [f"{place.name}: {said}" for said in self._wrong(record, done)]
            begun = any(each["audit"] for wave in record["waves"] for each in wave["databases"])
            if begun and place.relative_to(root).as_posix() not in committed:
                untrue.append(f"{place.name} is not committed")
        if "complete" not in self._json(place) or not self._json(place)["complete"]:
            untrue.append(f"the last record is not of the whole: {ended.output}")

    def _wrong(self, record: Any, done: dict[str, set[str]]) -> Iterator[str]:
        for wave in record["waves"]:
            for each in wave["databases"]:
                is_in = each["run"] in done[each["name"]]
                if (each["how"] == "passed") is not is_in:
                    yield f"{each['name']} {each['how']}, and its run {each['run']!r} in: {is_in}"

    def _committed(self) -> set[str]:
        """Every path that a branch of evidence holds."""
        listed = git(
            self.fleet.root, "for-each-ref", "--format=%(refname)", "refs/heads/housekeeping/audit"
        )
        return {
            path
            for ref in listed.split()
            for path in git(self.fleet.root, "ls-tree", "-r", "--name-only", ref).splitlines()
        }

    def _json(self, place: Path) -> Any:
        return json.loads(place.read_text(encoding="utf-8"))

    def _wait_for_the_end(self) -> None:
        """Until the server has noticed that nobody talks to it any more."""
        deadline = time.monotonic() + 30
        with self.fleet.server.superuser("postgres") as connection:
            while connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = ANY(%s)"
                " AND backend_type = 'client backend'",
                (list(self.names),),
            ).fetchone():
                assert time.monotonic() < deadline, "a session of the fleet stays"
                time.sleep(0.01)
