"""What the proof of the evidence says of each kind of fault, and that its repairs repair."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import Proof, prove_evidence
from pytest_housekeeping.model import Level, Mode
from support.evidence_repository import (
    FOLDER,
    commit_run,
    commit_runs,
    evidence_of,
)
from support.files import write
from support.fresh_copy import commit_all, git
from support.git_folders import opened

LOG = "housekeeping/audit/staging"
Files = dict[str, bytes]


def said(proof: Proof) -> list[tuple[str, str, str]]:
    return [(each.level.value, each.rule, each.object) for each in proof.findings]


def json_of(files: Files) -> str:
    return next(path for path in files if path.endswith(".json"))


def on_main(repository: Repository, *runs: tuple[Audit | None, Files]) -> None:
    """The evidence of runs, merged into main in one commit that tells of none of them."""
    for _, files in runs:
        write(repository.root, files)
    commit_all(repository.root, "evidence")


def chained(
    *modes: Mode, root: str = "", folder: str = FOLDER, first: int = 0
) -> list[tuple[Audit, Files]]:
    runs: list[tuple[Audit, Files]] = []
    for number, mode in enumerate(modes, start=first):
        previous = runs[-1][0].chain.digest if runs else None
        runs.append(evidence_of(number, mode, previous, root=root, folder=folder))
    return runs


def sealed_again(audit: Audit, actor: str = "eve") -> Audit:
    return with_artifacts(
        audit.model_copy(update={"run": audit.run.model_copy(update={"actor": actor})}),
        audit.artifacts,
    )


@pytest.mark.parametrize("folder", [None, FOLDER])
def test_a_repository_without_a_commit_has_no_evidence(tmp_path: Path, folder: str | None) -> None:
    git(tmp_path, "init", "--quiet")
    with opened(tmp_path) as repository:
        proof = prove_evidence(repository, folder)
    assert (proof.audits, proof.branches, proof.findings) == (0, 0, ())


def repaired(repository: Repository, fix: str) -> Proof:
    """What is proved after the commands of a fix were run, as they stand, in a folder of the clone.

    Nothing stands beside the clone afterwards that was not there.
    """
    folder = repository.root / "services"
    folder.mkdir(exist_ok=True)
    before = sorted(repository.root.parent.iterdir())
    git(repository.root, "config", "user.name", "Ada")
    git(repository.root, "config", "user.email", "ada@example.org")
    subprocess.run(["bash", "-euc", fix], cwd=folder, check=True, capture_output=True)
    assert sorted(repository.root.parent.iterdir()) == before
    return prove_evidence(repository)


def test_an_audit_that_was_sealed_again_is_found_by_what_its_commit_tells(
    repository: Repository,
) -> None:
    runs = commit_runs(repository, [Mode.PROD] * 3)
    audit, files = runs[2]
    (repository.root / json_of(files)).write_text(to_json(sealed_again(audit)))
    commit = commit_all(repository.root, "tidy up")
    proof = prove_evidence(repository)
    assert said(proof) == [("error", "audit-resealed", json_of(files))]
    assert "sealed again" in proof.findings[0].detail
    # The commit of the run has it as it was, and so has the one before the change.
    assert git(repository.root, "rev-parse", f"{commit}~1:{json_of(files)}")
    assert repaired(repository, proof.findings[0].fix).faults == ()


def test_one_that_was_sealed_again_where_no_commit_tells_is_found_by_its_successor(
    repository: Repository,
) -> None:
    runs = chained(Mode.STAGING, Mode.STAGING, Mode.STAGING)
    audit, files = runs[1]
    runs[1] = (audit, {**files, json_of(files): to_json(sealed_again(audit)).encode()})
    on_main(repository, *runs)
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("audit-missing", json_of(runs[2][1]))
    assert json_of(files) in fault.detail


def test_a_chain_that_was_sealed_again_to_its_end_differs_from_what_its_commits_tell(
    repository: Repository,
) -> None:
    commit_runs(repository, [Mode.PROD] * 3)
    runs = chained(Mode.PROD, Mode.PROD, Mode.PROD)
    first = sealed_again(runs[0][0])
    forged = [first]
    for audit, _ in runs[1:]:
        chain = audit.chain.model_copy(update={"previous": forged[-1].chain.digest})
        forged.append(sealed_again(audit.model_copy(update={"chain": chain}), actor="ada"))
    for audit, (_, files) in zip(forged, runs, strict=True):
        (repository.root / json_of(files)).write_text(to_json(audit))
    commit_all(repository.root, "tidy up")
    expected = [("error", "audit-resealed", json_of(files)) for _, files in runs]
    assert sorted(said(prove_evidence(repository))) == sorted(expected)


def test_runs_side_by_side_are_warnings(repository: Repository) -> None:
    first = evidence_of(0, Mode.STAGING, None)
    beside = [evidence_of(number, Mode.STAGING, first[0].chain.digest) for number in (1, 2)]
    alone = evidence_of(3, Mode.STAGING, None)
    on_main(repository, first, *beside, alone)
    proof = prove_evidence(repository)
    assert {level for level, _, _ in said(proof)} == {"warning"}
    assert [(rule, name) for _, rule, name in said(proof)] == [
        ("audit-forked", json_of(first[1])),
        ("audit-forked", json_of(beside[0][1])),
    ]


def test_a_circle_has_an_audit_without_its_digest(repository: Repository) -> None:
    (first, one), (second, two) = chained(Mode.STAGING, Mode.STAGING)
    back = first.chain.model_copy(update={"previous": second.chain.digest})
    one[json_of(one)] = to_json(first.model_copy(update={"chain": back})).encode()
    on_main(repository, (first, one), (second, two))
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("audit-edited", json_of(one))


def test_two_audits_of_one_run_are_named_with_their_branches(repository: Repository) -> None:
    audit, files = evidence_of(0, Mode.STAGING, None)
    commit_run(repository, audit, files)
    other = sealed_again(audit)
    on_main(repository, (other, {**files, json_of(files): to_json(other).encode()}))
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("audit-twice", json_of(files))
    assert "HEAD" in fault.detail


def test_an_audit_that_builds_on_one_that_ended_later_is_a_warning(
    repository: Repository,
) -> None:
    later, files = evidence_of(5, Mode.STAGING, None)
    earlier, others = evidence_of(0, Mode.STAGING, later.chain.digest)
    on_main(repository, (later, files), (earlier, others))
    proof = prove_evidence(repository)
    assert said(proof) == [("warning", "audit-order", json_of(others))]
    assert json_of(files).rpartition("/")[2] in proof.findings[0].detail


def test_an_audit_made_by_hand_contradicts_its_own_plan(repository: Repository) -> None:
    audit, files = evidence_of(0, Mode.STAGING, None)
    forged = with_artifacts(audit.model_copy(update={"steps": ()}), audit.artifacts)
    on_main(repository, (audit, {**files, json_of(files): to_json(forged).encode()}))
    assert said(prove_evidence(repository)) == [("error", "audit-plan", json_of(files))]


def test_audits_of_earlier_versions_name_no_report_and_that_is_said(
    repository: Repository,
) -> None:
    audit, files = evidence_of(0, Mode.PROD, None)
    text = to_json(with_artifacts(audit, ()), as_read=True)
    old = from_json(text.replace(' "artifacts": [],\n', ""), intact=True)
    files[json_of(files)] = to_json(old, as_read=True).encode()
    assert b"artifacts" not in files[json_of(files)]
    on_main(repository, (old, files))
    proof = prove_evidence(repository)
    assert proof.faults == ()
    assert [rule for _, rule, _ in said(proof)] == ["evidence-unnamed"]
    assert "2 files" in proof.findings[0].detail


def test_a_file_that_an_audit_names_and_nobody_has_committed_is_missing(
    repository: Repository,
) -> None:
    ((audit, files),) = chained(Mode.PROD)
    (report,) = [path for path in files if path.endswith(".html")]
    del files[report]
    on_main(repository, (audit, files))
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("evidence-missing", report)


@pytest.mark.parametrize(
    ("name", "level"),
    [("note.txt", Level.WARNING), ("prod_schema_before_20990101T000000Z.sql", Level.ERROR)],
)
def test_a_file_that_no_audit_names_is_told(
    repository: Repository, name: str, level: Level
) -> None:
    on_main(repository, *chained(Mode.PROD), (None, {f"{FOLDER}/{name}": b"x"}))
    (finding,) = prove_evidence(repository).findings
    assert (finding.rule, finding.object) == ("evidence-stray", f"{FOLDER}/{name}")
    assert finding.level is level


def test_what_no_run_has_written_beside_the_audits_may_change(repository: Repository) -> None:
    beside: Files = {f"{FOLDER}/.gitkeep": b"", f"{FOLDER}/README.md": b"What this is\n"}
    on_main(repository, *chained(Mode.PROD), (None, beside))
    git(repository.root, "rm", "-q", f"{FOLDER}/.gitkeep")
    (repository.root / FOLDER / "README.md").write_text("What all of this is\n")
    commit_all(repository.root, "explained better")
    proof = prove_evidence(repository)
    assert sorted(said(proof)) == [
        ("warning", rule, f"{FOLDER}/README.md") for rule in ("evidence-removed", "evidence-stray")
    ]


@pytest.mark.parametrize("mode", [Mode.PROD, Mode.STAGING])
def test_a_predecessor_that_was_never_merged_is_looked_for_where_its_run_committed_it(
    repository: Repository, mode: Mode
) -> None:
    on_main(repository, chained(mode, mode)[1])
    (fault,) = prove_evidence(repository).faults
    assert fault.rule == "audit-missing"
    expected = {
        Mode.PROD: "housekeeping/audit/prod_…; a refused one is on housekeeping/audit/refused",
        Mode.STAGING: "it is on housekeeping/audit/staging of the clone where",
    }
    assert expected[mode] in fault.fix


@pytest.mark.parametrize("ending", [".json", ".html", ".sql"])
@pytest.mark.parametrize("where", ["HEAD", LOG])
def test_what_was_deleted_comes_back_by_the_commands_of_the_fix(
    repository: Repository, ending: str, where: str
) -> None:
    mode = Mode.PROD if where == "HEAD" else Mode.STAGING
    files = commit_runs(repository, [mode] * 2)[0][1]
    path = next((path for path in sorted(files) if path.endswith(ending)), json_of(files))
    folder = repository.root
    if where != "HEAD":
        folder = repository.root.parent / "side"
        git(repository.root, "worktree", "add", "-q", str(folder), LOG)
    git(folder, "rm", "-q", path)
    commit = commit_all(folder, "tidy up")
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("evidence-removed", path)
    assert f"commit {commit[:12]} deletes it" in fault.detail
    assert repaired(repository, fault.fix).findings == ()


def test_what_was_changed_on_a_log_comes_back_by_the_commands_of_the_fix(
    repository: Repository,
) -> None:
    files = commit_runs(repository, [Mode.STAGING] * 2)[0][1]
    side = repository.root.parent / "side"
    git(repository.root, "worktree", "add", "-q", str(side), LOG)
    report = next(path for path in files if path.endswith(".html"))
    (side / report).write_text("<p>all is well</p>")
    commit = commit_all(side, "tidy up")
    git(repository.root, "worktree", "remove", str(side))
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("evidence-edited", report)
    assert f"on {LOG}, since commit {commit[:12]}" in fault.detail
    assert repaired(repository, fault.fix).findings == ()


@pytest.mark.parametrize("field", ["started_at", "finished_at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_audit_of_a_year_in_which_nothing_ran(
    repository: Repository, field: str, moment: str
) -> None:
    _, files = evidence_of(0, Mode.PROD, None)
    document = json.loads(files[json_of(files)])
    document["run"][field] = moment
    files[json_of(files)] = json.dumps(document).encode()
    on_main(repository, (None, files))
    fault = prove_evidence(repository).faults[0]
    assert (fault.rule, fault.object) == ("audit-edited", json_of(files))
    assert f"run.{field}" in fault.detail
    assert "no run took place in that year" in fault.detail


@pytest.mark.parametrize("variable", [False, True])
def test_a_graft_hides_no_deletion(
    repository: Repository, variable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history is what the commits themselves say, whatever this clone pretends of parents."""
    path = json_of(commit_runs(repository, [Mode.PROD] * 2)[0][1])
    git(repository.root, "rm", "-q", path)
    commit = commit_all(repository.root, "tidy up")
    (repository.root / "README.md").write_text("tidy\n")
    grafts = repository.root.parent / "grafts" if variable else repository.root / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{commit_all(repository.root, 'on it goes')}\n")
    if variable:
        monkeypatch.setenv("GIT_GRAFT_FILE", str(grafts))
    assert git(repository.root, "log", "--format=%s") == "on it goes"
    (fault,) = prove_evidence(repository).faults
    assert (fault.rule, fault.object) == ("evidence-removed", path)
    assert f"commit {commit[:12]} deletes it" in fault.detail
    assert repository.attempt("log", "-1")[2] == ""


def test_all_evidence_deleted_in_one_commit_is_told_by_those_that_brought_it(
    repository: Repository,
) -> None:
    commit_runs(repository, [Mode.PROD] * 2)
    git(repository.root, "rm", "-rq", FOLDER)
    commit_all(repository.root, "tidy up")
    proof = prove_evidence(repository)
    assert proof.audits == 0
    assert {each.rule for each in proof.faults} == {"audit-missing"}
    assert len(proof.faults) == 2


def test_an_incident_report_may_be_filled_in_and_not_deleted(repository: Repository) -> None:
    audit, files = evidence_of(0, Mode.PROD, None)
    report = "ops/incidents/20270102T030405Z_0000eeee.md"
    named = audit.artifacts[0].model_copy(update={"path": report})
    audit = with_artifacts(audit, [*audit.artifacts, named])
    files |= {json_of(files): to_json(audit).encode(), report: b"# Incident\n"}
    on_main(repository, (audit, files))
    (repository.root / report).write_text("# Incident\n\nIt was the new index.\n")
    commit_all(repository.root, "what we know of it")
    assert prove_evidence(repository).findings == ()
    git(repository.root, "rm", "-q", report)
    commit_all(repository.root, "tidy up")
    (fault,) = prove_evidence(repository).faults
    assert fault.object == report


def test_evidence_of_every_project_and_folder_is_proved_or_that_of_one(
    repository: Repository,
) -> None:
    places = (("", FOLDER), ("services/a/", FOLDER), ("services/a/", "evidence"))
    runs = [
        chained(Mode.PROD, Mode.PROD, root=root, folder=folder, first=2 * number)
        for number, (root, folder) in enumerate(places)
    ]
    on_main(repository, *(each for chain in runs for each in chain))
    assert prove_evidence(repository).audits == 6
    assert prove_evidence(repository).faults == ()
    victim = json_of(runs[1][1][1])
    (repository.root / victim).write_text("{}")
    commit_all(repository.root, "tidy up")
    assert [fault.object for fault in prove_evidence(repository).faults] == [victim]
    assert [each.object for each in prove_evidence(repository, "services/a/ops/audit").faults] == [
        victim
    ]
    assert prove_evidence(repository, FOLDER).faults == ()
    assert prove_evidence(repository, FOLDER).audits == 2


def test_a_clone_and_a_shallow_one(repository: Repository, tmp_path: Path) -> None:
    commit_runs(repository, [Mode.PROD, Mode.STAGING, Mode.PROD])
    git(tmp_path, "clone", "-q", repository.root.as_uri(), "whole")
    git(tmp_path, "clone", "-q", "--depth=1", repository.root.as_uri(), "shallow")
    with opened(tmp_path / "whole") as clone:
        assert prove_evidence(clone) == prove_evidence(repository)
    with opened(tmp_path / "shallow") as clone:
        (fault,) = prove_evidence(clone).faults
        assert (fault.rule, fault.fix) == ("evidence-shallow", "git fetch --unshallow origin")
        assert repaired(clone, fault.fix).faults == ()


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_for_a_partial_clone_nothing_is_fetched_and_the_way_out_is_told(
    repository: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    left_out: str,
) -> None:
    commit_runs(repository, [Mode.PROD, Mode.STAGING])
    git(repository.root, "config", "uploadpack.allowFilter", "true")
    clone, options = tmp_path / "partial", ("--no-checkout", f"--filter={left_out}")
    git(tmp_path, "clone", "-q", *options, repository.root.as_uri(), "partial")
    git(clone, "config", "gc.auto", "0")
    monkeypatch.chdir(clone)
    before = git(clone, "count-objects", "-v")
    assert main(["audit"]) == 1
    out, told = capsys.readouterr()
    assert (out, git(clone, "count-objects", "-v")) == ("", before)
    assert told.startswith("this clone is a partial one (git clone --filter), and lacks evidence\n")
    subprocess.run(told.partition("  fix: ")[2].split(), check=True, capture_output=True)
    assert main(["audit"]) == 0
    assert capsys.readouterr().out.endswith(": all proved\n")


def test_the_command_ends_as_it_says(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root)
    assert main(["audit"]) == 1
    out = capsys.readouterr().out
    assert "of nothing nothing is proved" in out
    assert "fix: this clone has no remote origin: git remote add origin URL && git fetch" in out
    files = commit_runs(repository, [Mode.STAGING, Mode.PROD, Mode.STAGING])[1][1]
    (repository.root / "sub").mkdir()
    monkeypatch.chdir(repository.root / "sub")
    before = git(repository.root, "for-each-ref"), git(repository.root, "status", "--porcelain")
    assert main(["audit"]) == 0
    expected = "3 audits, 6 files named by them, 2 branches: all proved\n"
    assert capsys.readouterr().out == expected
    after = git(repository.root, "for-each-ref"), git(repository.root, "status", "--porcelain")
    assert after == before
    (repository.root / json_of(files)).write_text("{\x1b[2J")
    commit_all(repository.root, "tidy up")
    assert main(["audit"]) == 1
    first, fix, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"FAULT {json_of(files)}: ")
    assert fix.startswith("  fix: git checkout ")
    assert last.endswith(": 1 fault")
    monkeypatch.chdir(repository.root.parent)
    assert main(["audit"]) == 4
    assert "belongs to no git repository" in capsys.readouterr().err
