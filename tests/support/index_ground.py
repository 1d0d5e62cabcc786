"""Some months of a production, as its evidence tells them: made without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pytest_housekeeping.evidence import Repository, SourceFacts, StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit, with_artifacts
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.model.audit import Artifact, Audit
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.sql.text import digest as sha256
from support.evidence_repository import FOLDER, commit_run, new_repository
from support.evidence_samples import START, TARGET, facts, forged, passed
from support.fresh_copy import commit_all

# Names that a page, a terminal and a spreadsheet would obey, and one of 200 letters.
NASTY = 'venture."<script>alert(1)</script>"'
CONTROL = "venture.\x1b[31m\u202e\nred"
LONG = "venture." + "x" * 200
FORMULA = "=HYPERLINK(1)"

Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run to be told of: when, and by which digests it has found and left the schema."""

    day: int
    mode: Mode = Mode.PROD
    outcome: RunOutcome = RunOutcome.PROMOTED
    before: str = ""
    after: str = ""
    edit: Edit = lambda _: None
    dumps: tuple[str, str] | None = None


def schema(text: str) -> str:
    return f"--\n-- Name: venture; Type: SCHEMA\n--\n\nCREATE SCHEMA venture;\n\n\n-- {text}\n"


def told(
    run: Told, number: int, previous: str | None, commit: str
) -> tuple[Audit, dict[str, bytes]]:
    """The audit of a run, and its files by path."""
    began = START + timedelta(days=run.day)
    known = facts(run.mode, run=f"{number:04x}aaaa")
    known = StartFacts(
        run=replace(known.run, started_at=began, actor="carol"),
        source=SourceFacts(commit=commit, branch="main"),
        digest=known.digest,
        steps=known.steps,
    )
    name, stamp = stem(known.run), f"{began:%Y%m%dT%H%M%SZ}"
    files = {f"{FOLDER}/{name}.html": b"<!doctype html>\n"}
    kept: dict[str, Artifact] = {}
    for when, text in zip(("before", "after"), run.dumps or (), strict=False):
        path, data = f"{FOLDER}/prod_schema_{when}_{stamp}.sql", schema(text).encode()
        files[path], kept[when] = data, Artifact(path=path, sha256=sha256(data))
    audit = make_audit(
        known,
        outcome=run.outcome,
        finished_at=began + timedelta(seconds=2.5),
        results=[passed(step) for step in known.steps]
        if run.outcome is RunOutcome.PROMOTED or run.mode is Mode.VERIFY
        else [passed(known.steps[0])],
        target=TARGET,
        previous=previous,
        before=kept.get("before"),
        after=kept.get("after"),
    )
    pages = {path: data for path, data in files.items() if path.endswith(".html")}
    audit = with_artifacts(
        audit, [Artifact(path=path, sha256=sha256(data)) for path, data in pages.items()]
    )

    def edit(document: dict[str, Any]) -> None:
        document["snapshot"]["fingerprint"] = {
            "version": 1 if run.before else 0,
            "before": run.before * 64,
            "after": run.after * 64,
            "settled_before": run.before * 64,
            "settled_after": run.after * 64,
        }
        run.edit(document)

    audit = forged(audit, edit)
    return audit, files | {f"{FOLDER}/{name}.json": to_json(audit).encode()}


def project(folder: Path) -> tuple[Repository, str]:
    """A repository whose main has a migration that came by a pull request; and that commit."""
    repository = new_repository(folder)
    place = folder / "sql" / "migrations"
    place.mkdir(parents=True)
    (place / "0001_x.sql").write_text("SELECT 1;\n")
    commit_all(folder, "Countries have a region (#12)")
    commit = repository.head()
    assert commit is not None
    return repository, commit


def commit_told(repository: Repository, commit: str, runs: list[Told]) -> list[Audit]:
    """The evidence of these runs, as they have left it: nothing of it is merged."""
    previous: dict[Mode, str] = {}
    audits = []
    for number, run in enumerate(runs, start=1):
        audit, files = told(run, number, previous.get(run.mode), commit)
        previous[run.mode] = audit.chain.digest
        commit_run(repository, audit, files)
        audits.append(audit)
    return audits


def _first(document: dict[str, Any]) -> None:
    approval = {"approver": "bob@example.org", "commit": "b" * 40, "at": "2027-01-01T00:00:00Z"}
    document["bound"] = {"second_person": "approved", "approvals": [approval], "digest": "d"}
    document["changes"] = [
        {"object": name, "kind": "table", "change": "made"}
        for name in ("venture.orders", NASTY, CONTROL, LONG)
    ]
    document["batch"] = [{"segment": 1, "rewritten": ["venture.orders"]}]
    way = {"path": "sql/migrations/0001_x.sql", "how": "none", "said": "there is no rollback file"}
    document["production"] = {"way_back": [way]}


def _emergency(document: dict[str, Any]) -> None:
    document["run"]["emergency"] = FORMULA
    document["findings"] = [
        {
            "rule": "drift",
            "level": "notice",
            "object": "index venture.by_hand",
            "detail": "was added since the last promotion, by no file",
            "step": document["steps"][0]["id"],
        }
    ]
    step = dict(document["steps"][0], id="precheck::drift", message="drift of 1 objects accepted")
    document["steps"].insert(1, step)
    planned = dict(document["plan"]["steps"][0], id="precheck::drift")
    document["plan"]["steps"].insert(1, planned)


def _reverts(document: dict[str, Any]) -> None:
    document["run"]["reverts"] = "0003aaaa"


MONTHS = [
    Told(day=0, before="a", after="b", edit=_first, dumps=("a", "b")),
    Told(day=30, outcome=RunOutcome.REFUSED, before="b"),
    Told(day=60, before="c", after="d", edit=_emergency, dumps=("c", "d")),
    Told(day=61, mode=Mode.VERIFY, outcome=RunOutcome.NOTHING_TO_PROMOTE, before="d"),
    Told(day=90, mode=Mode.ROLLBACK, before="d", after="c", edit=_reverts, dumps=("d", "c")),
]
"""A promotion, one that was refused, one in an emergency behind a change by hand, a night's watch,
and a rollback. Days count from the second of January 2027."""
