"""A full disk, a lost terminal, Ctrl-C and what is like it: what is said is true, and nothing else.

``HK_FAULTS=all`` meets each at every write of a promotion; without it, around COMMIT.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.catalog_text import State
from support.fault_campaign import Figures, Ledger, Whole
from support.fault_proxy import Fault, How
from support.forked_runs import Ended
from support.production_project import PLAIN, Production, Rehearsal
from support.staging_project import Run

OF_SOMETHING_ELSE = True

FAULTS = os.environ.get("HK_FAULTS", "")
KINDS = ("ENOSPC", "EROFS", "EACCES", "SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, kw_only=True)
class Writes:
    """What an undisturbed promotion writes to a disk, in order, and the state that it leaves."""

    lines: tuple[str, ...]
    after: State

    def number(self, moment: str) -> int:
        """Which write a moment is. The journal is synced five times: when it begins, its folder,
        before COMMIT, behind it, and when nothing runs any more."""
        synced = [n for n, line in enumerate(self.lines, 1) if " fsync " in f" {line}"]
        named = {
            "committing": synced[2] - 1,
            "committed": synced[3] - 1,
            "a step ends": synced[3] + 1,
            "finished": synced[4] - 1,
        }
        if moment in named:
            return named[moment]
        return next(n for n, line in enumerate(self.lines, 1) if line.endswith(moment))


@pytest.fixture(scope="session")
def writes(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Writes:
    production = rehearsed.fresh(tmp_path_factory.mktemp("writes"), stem=PLAIN)
    run = met(production, "nothing:0")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    lines = (production.root.parent / "writes").read_text(encoding="utf-8").splitlines()
    return Writes(lines=tuple(lines), after=production.state)


def met(production: Production, trouble: str, **environment: str) -> Run:
    """A promotion that meets with trouble."""
    return production.promote(
        *("-p", "support.trouble"),
        HK_TEST_TROUBLE=trouble,
        HK_TEST_WRITES=str(production.root.parent / "writes"),
        **environment,
    )


def judged(production: Production, writes: Writes, trouble: str) -> tuple[Run, bool]:
    """A promotion that meets with trouble, and the next one: all that both say is true.

    Returns the first, and whether it is in.
    """
    figures = Figures()
    whole = Whole(messages=(), after=writes.after)
    ledger = Ledger(production=production, whole=whole, figures=figures)
    run = met(production, trouble)
    # Where the record could not even be begun, there is none, and nothing was begun.
    how: How = "interrupt" if "= promotion =" in run.output else "kill"
    ended = Ended(code=run.code, output=run.output)
    inside = ledger.take(trouble, Fault(at=1, how=how), ended, struck=True)
    assert "Traceback" not in run.output, run.output
    assert "INTERNALERROR" not in run.output, run.output
    if ledger.open or not inside:
        again = production.promote()
        ledger.close(Ended(code=again.code, output=again.output))
    assert figures.troubles == []
    return run, inside


@pytest.mark.parametrize(
    ("trouble", "moment", "inside", "said"),
    [
        ("ENOSPC", "committing", False, "Not promoted: rolled back"),
        ("ENOSPC", "committed", True, "Promoted. "),
        ("EROFS", ".html", True, "Promoted. "),
        ("SIGTERM", "committing", False, "The run was interrupted."),
        ("SIGINT", "committed", True, "The run was interrupted."),
        ("SIGHUP", "finished", True, "Promoted. "),
    ],
)
def test_what_is_said_is_true(
    production: Production, writes: Writes, trouble: str, moment: str, inside: bool, said: str
) -> None:
    run, is_in = judged(production, writes, f"{trouble}:{writes.number(moment)}")
    assert is_in is inside
    assert said in run.output
    if trouble.startswith("E"):
        assert run.code == 1
        assert "THE EVIDENCE IS NOT COMPLETE" in run.output
        assert "  fix: make room on the disk" in run.output
    else:
        # One that comes when the run has ended is put off until its record is written.
        assert run.code == (0 if moment == "finished" else 2)


def test_ctrl_c_behind_commit_does_not_hide_what_stands_there(
    production: Production, writes: Writes
) -> None:
    """The schema is read at the end of the run, where it could not be read at once."""
    with production.server.superuser() as connection:
        meanwhile = connection.info.dsn + f" password={connection.info.password}"
    trouble = f"SIGINT:{writes.number('committed')}"
    run = met(production, trouble, HK_TEST_MEANWHILE=meanwhile)
    assert (run.code, run.outcome) == (2, "promoted_unproved"), run.output
    assert "Committed, but not proved after COMMIT" in run.output
    assert run.steps["promote"] == "passed"
    assert "added column desk.ticket.meanwhile" in run.message("after::schema")


def test_ctrl_c_in_a_test_that_has_committed_by_force(production: Production) -> None:
    settings = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
    production.change({"pyproject.toml": settings, "checks/test_a.py": _FORCE})
    run = production.promote()
    assert (run.code, run.outcome) == (2, "promoted_unproved"), run.output
    assert "Committed, but not proved after COMMIT" in run.output
    assert "The run was interrupted." in run.output
    assert "Traceback" not in run.output
    assert list(production.root.glob("ops/audit/*.journal.jsonl")) == []


_FORCE = """
import os
import signal


def test_it(hk_connection):
    hk_connection.pgconn.exec_(b"COMMIT")
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_nobody_reads_the_terminal(production: Production) -> None:
    """The run, and what is true of it, does not depend on its audience."""
    before = set(production.project.audits())
    process = production.start()
    assert process.stdout is not None
    process.stdout.close()
    code = process.wait(60)
    (audit,) = set(production.project.audits()) - before
    run = json.loads(audit.read_bytes())["run"]
    assert (code, run["outcome"], run["message"]) == (0, "promoted", "")
    assert production.state != production.before


@pytest.mark.skipif(not FAULTS, reason="HK_FAULTS is not set: tox -e faults runs all of it")
@pytest.mark.parametrize("trouble", KINDS)
def test_every_write(rehearsed: Rehearsal, writes: Writes, tmp_path: Path, trouble: str) -> None:
    every = len(writes.lines) * len(KINDS)
    step = max(1, every // int(FAULTS)) if FAULTS.isdecimal() else 1
    for number in range(1, len(writes.lines) + 1, step):
        place = tmp_path / str(number)
        place.mkdir()
        judged(rehearsed.fresh(place, stem=PLAIN), writes, f"{trouble}:{number}")
