"""The proof of the records of fleets: one that was edited, deleted, swapped or is missing is named,
and so is an audit that one names."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.fleet_record import (
    FleetRecord,
    MemberRecord,
    WaveRecord,
    fleet_json,
    read_fleet_record,
)
from pytest_housekeeping.evidence.git.committed import ask_ahead, read_committed
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.commands.audit import audit
from support.evidence_repository import evidence_of, message_of
from support.evidence_samples import START
from support.files import write
from support.fresh_copy import commit_all, git

FLEET = "shop/ops/tenants"
NAMES = ("acme", "zeta")
Files = dict[str, bytes]


def wave(number: int, previous: str | None) -> tuple[Files, str, str]:
    """The evidence of a run on two databases, the record's digest, and what its commit says."""
    files: Files = {}
    members, said = [], []
    for at, name in enumerate(NAMES):
        folder = f"ops/tenants/{name}/audit"
        found, own = evidence_of(10 * number + at, Mode.PROD, None, root="shop/", folder=folder)
        files |= own
        path = next(each for each in own if each.endswith(".json")).removeprefix("shop/")
        digest = found.chain.digest
        members.append(MemberRecord(name=name, how="passed", audit=path, digest=digest))
        line = message_of(found).splitlines()[-1]
        said.append(f"{line}, in shop/{folder}")
    record = FleetRecord(
        fleet="tenants",
        mode=Mode.PROD,
        id=f"{number:08x}",
        started_at=START + timedelta(hours=number),
        finished_at=START + timedelta(hours=number, seconds=1.5),
        tool_version="1",
        complete=True,
        waves=(WaveRecord(name="canary", databases=tuple(members)),),
    )
    page = f"<!doctype html><p>wave {number}</p>\n".encode()
    record = record.sealed(previous).with_page(page)
    place = f"{FLEET}/audit/{record.stem}"
    files |= {f"{place}.json": fleet_json(record).encode(), f"{place}.html": page}
    digest = record.chain.digest
    said.append(f"Record {record.id} of a fleet, digest {digest}, in {FLEET}/audit")
    return files, digest, "\n".join(["prod of fleet tenants: 2 databases", "", *said, ""])


@pytest.fixture
def known(repository: Repository) -> list[Files]:
    """Two runs, merged as their commits have brought them."""
    return committed(repository, telling=True)


def committed(repository: Repository, *, telling: bool) -> list[Files]:
    waves, previous = [], None
    for number in range(2):
        files, previous, said = wave(number, previous)
        put(repository, files)
        git(repository.root, "add", ".")
        git(repository.root, "commit", "--quiet", "-m", said if telling else "evidence")
        waves.append(files)
    return waves


def put(repository: Repository, files: Files) -> None:
    write(repository.root, files)


def faults(repository: Repository) -> list[tuple[str, str]]:
    return [(each.rule, each.object) for each in prove_evidence(repository).faults]


def record_of(files: Files) -> str:
    return next(path for path in files if path.startswith(f"{FLEET}/audit/fleet_"))


def audit_of(files: Files, name: str = "zeta") -> str:
    start = f"{FLEET}/{name}/audit/prod_2"
    return next(path for path in files if path.startswith(start) and path.endswith(".json"))


def edited(data: bytes) -> bytes:
    return data.replace(b'"complete": true', b'"complete": false')


def sealed_again(data: bytes) -> bytes:
    record = read_fleet_record(data)
    assert record is not None
    page, previous = record.page, record.chain.previous
    forged = record.model_copy(update={"actor": "eve", "page": page}).sealed(previous)
    return fleet_json(forged).encode()


def audit_sealed_again(data: bytes) -> bytes:
    found = from_json(data)
    run = found.run.model_copy(update={"actor": "eve"})
    return to_json(with_artifacts(found.model_copy(update={"run": run}), found.artifacts)).encode()


def test_what_is_whole_is_proved_and_counted(repository: Repository, known: list[Files]) -> None:
    proof = prove_evidence(repository)
    assert proof.faults == ()
    assert (proof.audits, proof.fleets) == (4, 2)
    told = audit(repository.root)
    assert told.proved
    assert "2 records of fleets, 1 branch: all proved" in told.lines[-1]
    assert len(known) == 2


@pytest.mark.parametrize(
    ("number", "change", "rule"),
    [
        (0, edited, "fleet-edited"),
        (1, edited, "fleet-edited"),
        (0, sealed_again, "evidence-removed"),
        (1, sealed_again, "evidence-removed"),
        (1, lambda data: data + b"\n", "fleet-edited"),
        (1, lambda data: data[:40], "fleet-edited"),
    ],
)
def test_a_record_that_was_edited(
    repository: Repository,
    known: list[Files],
    number: int,
    change: Callable[[bytes], bytes],
    rule: str,
) -> None:
    path = record_of(known[number])
    put(repository, {path: change(known[number][path])})
    commit_all(repository.root, "tidy up")
    assert faults(repository) == [(rule, path)]


def test_a_record_in_the_place_of_another(repository: Repository, known: list[Files]) -> None:
    first, second = map(record_of, known)
    put(repository, {first: known[1][second], second: known[0][first]})
    commit_all(repository.root, "tidy up")
    assert {("fleet-edited", first), ("fleet-edited", second)} < {*faults(repository)}


def test_a_commit_that_was_made_anew_still_tells_of_it(
    repository: Repository, known: list[Files]
) -> None:
    path = record_of(known[1])
    put(repository, {path: sealed_again(known[1][path])})
    git(repository.root, "add", ".")
    git(repository.root, "commit", "--quiet", "--amend", "--no-edit")
    assert faults(repository) == [("fleet-resealed", path)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_record_that_was_deleted(repository: Repository, known: list[Files], number: int) -> None:
    path = record_of(known[number])
    (repository.root / path).unlink()
    commit_all(repository.root, "tidy up")
    assert ("evidence-removed", path) in faults(repository)


def test_all_records_that_were_deleted(repository: Repository, known: list[Files]) -> None:
    """Then nothing but the messages of commits says that there were any."""
    git(repository.root, "rm", "--quiet", "-r", f"{FLEET}/audit")
    git(repository.root, "commit", "--quiet", "-m", "tidy up")
    assert sorted(faults(repository)) == [
        ("fleet-missing", "run 00000000"),
        ("fleet-missing", "run 00000001"),
    ]
    assert len(known) == 2


def test_one_that_no_commit_tells_of_is_missed_by_the_next(repository: Repository) -> None:
    first, second = committed(repository, telling=False)
    path = record_of(first)
    put(repository, {path: sealed_again(first[path])})
    commit_all(repository.root, "tidy up")
    assert ("fleet-missing", record_of(second)) in faults(repository)


def test_two_records_of_one_run_are_told(repository: Repository) -> None:
    files, _, _ = wave(0, None)
    path = record_of(files)
    put(repository, files)
    commit_all(repository.root, "evidence")
    git(repository.root, "checkout", "-q", "-b", "housekeeping/audit/tenants", "HEAD~1")
    put(repository, {**files, path: sealed_again(files[path])})
    commit_all(repository.root, "evidence")
    git(repository.root, "checkout", "-q", "main")
    assert ("fleet-twice", path) in faults(repository)


@pytest.mark.parametrize("change", [audit_sealed_again, None])
def test_an_audit_that_is_not_the_one_that_the_record_names(
    repository: Repository, change: Callable[[bytes], bytes] | None
) -> None:
    """It came so into this clone: no commit tells what it was."""
    files, _, _ = wave(0, None)
    path = audit_of(files)
    if change is None:
        stem = path.removesuffix(".json").rpartition("_")[0].rpartition("_")[2]
        files = {
            each: data for each, data in files.items() if stem not in each or "zeta" not in each
        }
    else:
        files[path] = change(files[path])
    put(repository, files)
    commit_all(repository.root, "evidence")
    (found,) = prove_evidence(repository).faults
    assert (found.rule, found.object) == ("fleet-audit", path)
    assert record_of(files) in found.detail


def test_an_audit_in_the_place_of_another_databases(
    repository: Repository, known: list[Files]
) -> None:
    files = known[1]
    one, other = audit_of(files, "acme"), audit_of(files, "zeta")
    put(repository, {one: files[other], other: files[one]})
    commit_all(repository.root, "tidy up")
    assert {("audit-edited", one), ("audit-edited", other)} < {*faults(repository)}


def test_the_page_is_the_one_that_the_record_names(
    repository: Repository, known: list[Files]
) -> None:
    page = record_of(known[0]).replace(".json", ".html")
    stray = f"{FLEET}/audit/fleet_20270102T030405Z_none.html"
    put(repository, {page: b"<p>all is well</p>", stray: b"<p>a wave that never was</p>"})
    commit_all(repository.root, "tidy up")
    assert sorted(faults(repository)) == [
        ("audit-missing", stray.replace(".html", ".json")),
        ("evidence-edited", page),
    ]


def test_a_record_of_before_there_were_pages(repository: Repository) -> None:
    """What later versions add to a record is no fault of one that lacks it."""
    files, _, _ = wave(0, None)
    path = record_of(files)
    record = read_fleet_record(files[path])
    assert record is not None
    bare = record.model_copy(update={"page": ""}).sealed(None)
    document = json.loads(fleet_json(bare))
    del document["page"]
    files[path] = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    del files[path.replace(".json", ".html")]
    put(repository, files)
    commit_all(repository.root, "evidence")
    assert faults(repository) == []


def test_what_is_read_of_all_at_once_is_what_is_read_of_each(
    repository: Repository, known: list[Files]
) -> None:
    """Also of what one commit brings to one database without naming it, of what is taken away, and
    of a merge, which differs from one of its parents alone."""
    root, (first, second) = repository.root, known
    git(root, "checkout", "--quiet", "-b", "aside")
    (root / audit_of(first)).write_bytes(b"{}")
    git(root, "rm", "--quiet", audit_of(second, "acme"))
    commit_all(root, f"prod of tenants: 3 steps\n\nRun one, plan 1, audit {'a' * 64}")
    git(root, "checkout", "--quiet", "-")
    (root / "other").write_text("something else", encoding="utf-8")
    commit_all(root, "beside")
    git(root, "merge", "--quiet", "--no-ff", "-m", f"Run two, plan 2, audit {'b' * 64}", "aside")
    folders = [f"{FLEET}/{name}/audit" for name in (*NAMES, "nobody")]
    log = ask_ahead(repository, [*folders, f"{FLEET}/audit"])
    found = [read_committed(repository, folder, log) for folder in folders]
    assert found == [read_committed(repository, folder) for folder in folders]
    for folder, each in zip(folders, found, strict=True):
        by_git = git(root, "log", "--full-history", "--format=%H", "--grep=^Run ", "--", folder)
        assert {told.commit for told in each.told} == set(by_git.split())
    assert {"one", "two"} < {each.run for each in found[0].told}
    assert [each.deletes for each in found[0].changes] == [True, True]
    assert [each.deletes for each in found[1].changes] == [False, False]
    assert not found[2].told
    assert not found[2].changes
