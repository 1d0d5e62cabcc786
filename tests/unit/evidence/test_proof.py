"""The proof of all evidence: what is planted is found, and named, in each of 100 runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.committed import FileVersion
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.evidence.records import Record, read_record
from pytest_housekeeping.model import Mode
from support.evidence_repository import LOGS, commit_runs, evidence_of, new_repository
from support.fresh_copy import git

RUNS = 100
MODES = [{3: Mode.VERIFY, 6: Mode.PROD}.get(number % 10, Mode.STAGING) for number in range(RUNS)]
Files = dict[str, bytes]
Plant = dict[str, bytes | None]
"""New content by path; None for a file that is deleted."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The runs of a repository, and where their evidence stands."""

    repository: Repository
    runs: list[tuple[Audit, Files]]
    tips: dict[str, str]

    def branch(self, number: int) -> str:
        return LOGS.get(MODES[number], "HEAD")

    def neighbour(self, number: int) -> int:
        """Another run on the same branch."""
        same = [each for each in range(RUNS) if MODES[each] is MODES[number] and each != number]
        return min(same, key=lambda each: (abs(each - number), each))


@dataclass(kw_only=True)
class Planted:
    """The repository with another commit in the place of one branch; objects are read once."""

    repository: Repository
    tips: Mapping[str, str]
    known: dict[bytes, bytes] = field(default_factory=dict)
    said: dict[object, bytes] = field(default_factory=dict)

    def commit(self, name: str) -> str | None:
        return self.tips[name]

    def run(self, *command: str, stdin: bytes | None = None) -> bytes:
        if command[0] == "for-each-ref":
            names = [(tip, name) for name, tip in self.tips.items() if name != "HEAD"]
            return "".join(f"{tip} {name}\n" for tip, name in names).encode()
        if command == ("cat-file", "--batch"):
            names_ = (stdin or b"").splitlines()
            for name in names_:
                if name not in self.known:
                    self.known[name] = self.repository.run(*command, stdin=name + b"\n")
            return b"".join(self.known[name] for name in names_)
        if command[0] == "log":
            return self.repository.run(*command, stdin=stdin)
        if (command, stdin) not in self.said:
            self.said[command, stdin] = self.repository.run(*command, stdin=stdin)
        return self.said[command, stdin]

    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]:
        return self.repository.attempt(*command, stdin=stdin)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    with new_repository(tmp_path_factory.mktemp("proof") / "p") as repository:
        runs = commit_runs(repository, MODES)
        tips = {name: git(repository.root, "rev-parse", name) for name in (*LOGS.values(), "HEAD")}
        yield Evidence(repository=repository, runs=runs, tips=tips)


def plant(evidence: Evidence, plants: Mapping[str, tuple[str, Plant, bool]]) -> dict[str, str]:
    """A commit for each name: branch, changes, and whether it stands upon the branch's commits."""
    root, stream = evidence.repository.root, []
    trees = {name: git(root, "rev-parse", f"{tip}^{{tree}}") for name, tip in evidence.tips.items()}
    for name, (branch, changes, upon) in plants.items():
        lines = [f"commit refs/planted/{name}", "committer Eve <eve@example.org> 0 +0000", "data 0"]
        lines += [f"from {evidence.tips[branch]}"] * upon
        lines += [f'M 040000 {trees[branch]} ""']
        stream.append("\n".join(lines).encode())
        for path, data in changes.items():
            if data is None:
                stream.append(f"D {path}".encode())
            else:
                stream.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data)
    evidence.repository.run("fast-import", "--quiet", "--force", stdin=b"\n".join([*stream, b""]))
    shown = ("for-each-ref", "--format=%(refname) %(objectname)", "refs/planted")
    listed = git(root, *shown)
    found = dict(line.removeprefix("refs/planted/").split(" ") for line in listed.splitlines())
    return {name: found[name] for name in plants}


def edited(data: bytes, place: int) -> bytes:
    """The text with one byte that is another one."""
    at = place % len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def planted_in(evidence: Evidence, number: int) -> tuple[str, Plant]:
    """One fault in the evidence of a run, and what is done; each run has another one in turn."""
    files, others = evidence.runs[number][1], evidence.runs[evidence.neighbour(number)][1]
    by_kind = {path.rpartition(".")[2]: path for path in files}
    kinds = sorted(by_kind)
    path = by_kind[kinds[number // 4 % len(kinds)]]
    place = number * len(files[path]) // RUNS
    other = next(each for each in others if each.endswith(path.rpartition(".")[2]))
    match number % 4:
        case 0:
            return f"edit {path}", {path: edited(files[path], place)}
        case 1:
            return f"delete {path}", {path: None}
        case 2:
            return f"swap {path}", {path: others[other], other: files[path]}
        case _:
            json = by_kind["json"]
            return f"edit {json}", {json: edited(files[json], number * len(files[json]) // RUNS)}


def names_of(evidence: Evidence, number: int) -> set[str]:
    return set(evidence.runs[number][1])


def test_evidence_as_runs_have_committed_it_is_proved(evidence: Evidence) -> None:
    proof = prove_evidence(evidence.repository)
    assert proof.findings == ()
    files = sum(len(files) for _, files in evidence.runs)
    assert (proof.audits, proof.audits + proof.artifacts, proof.branches) == (RUNS, files, 3)


def test_a_fault_in_each_of_100_runs_is_found_and_named(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On top of the branch, where its commits tell of it, and with the branch written anew."""
    read: dict[FileVersion, Record] = {}

    def read_once(version: FileVersion, data: bytes | None) -> Record:
        if version not in read:
            read[version] = read_record(version, data)
        return read[version]

    monkeypatch.setattr("pytest_housekeeping.evidence.proof.prove.read_record", read_once)
    what = {f"{number}": planted_in(evidence, number) for number in range(RUNS)}
    plants = {
        name: (evidence.branch(int(name)), changes, int(name) % 3 == 0)
        for name, (_, changes) in what.items()
    }
    commits = plant(evidence, plants)
    looking = Planted(repository=evidence.repository, tips=evidence.tips)
    found = 0
    for name, commit in commits.items():
        number = int(name)
        looking.tips = {**evidence.tips, evidence.branch(number): commit}
        faults = prove_evidence(looking).faults
        run = evidence.runs[number][0].run.id
        said = f"run {run}: {what[name][0]}, upon {plants[name][2]}: {faults}"
        objects = {fault.object for fault in faults}
        assert objects & names_of(evidence, number), said
        # Nothing else is accused but what was swapped with it, who builds upon it, and a file that
        # there never was, which an edited audit names.
        every = {path for _, files in evidence.runs for path in files}
        written = b"".join(data for data in what[name][1].values() if data)
        accused = objects - names_of(evidence, number)
        accused -= {each for each in accused - every if each.encode() in written}
        assert accused <= names_of(evidence, evidence.neighbour(number)) | _builds_upon(
            evidence, number
        ), said
        found += 1
    assert found == RUNS


def _builds_upon(evidence: Evidence, number: int) -> set[str]:
    digest = evidence.runs[number][0].chain.digest
    followers = [files for audit, files in evidence.runs if audit.chain.previous == digest]
    return {path for files in followers for path in files if path.endswith(".json")}


def test_every_byte_of_an_audit_counts() -> None:
    audit, files = evidence_of(1, Mode.PROD, "p" * 64)
    path, data = next((path, data) for path, data in files.items() if path.endswith(".json"))
    version = FileVersion(path=path, oid="", branches=("HEAD",))
    assert read_record(version, data).fault == ""
    unseen = [at for at in range(len(data)) if not read_record(version, edited(data, at)).fault]
    assert unseen == []
    assert audit.artifacts
