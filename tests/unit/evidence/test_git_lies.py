"""What a clone's own files and settings say of the history changes nothing of what is proved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.evidence.git.origin import Origin, all_origins, origins_of
from pytest_housekeeping.evidence.proof.prove import Proof, prove_evidence
from pytest_housekeeping.evidence.signatures import signer_of
from pytest_housekeeping.model import Mode
from support.evidence_repository import LOGS, commit_runs, new_repository
from support.fresh_copy import commit_all, git
from support.git_folders import opened
from support.git_lies import HISTORY, SETTINGS, Lie, commit_graph, forged_object
from support.signing import new_key, signer_line

pytestmark = pytest.mark.usefixtures("isolated_git")
LOG = LOGS[Mode.STAGING]
ABOUT = ("HEAD", LOG)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A repository with faults in its history, and what is found in it."""

    root: Path
    evil: str
    proof: Proof
    origins: dict[tuple[str, str], tuple[Origin, ...]]


def origins(repository: Repository) -> dict[tuple[str, str], tuple[Origin, ...]]:
    places = {
        (path, blob_id(data, "0" * 40)): data for path, data in repository.evidence(Mode.STAGING)
    }
    found = dict(all_origins(repository, Mode.STAGING, places))
    for place, data in places.items():
        assert origins_of(repository, Mode.STAGING, place[0], data) == found[place]
    return found


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """One audit is deleted by a merge, one is sealed again, one has come from two branches."""
    root = tmp_path_factory.mktemp("lies") / "p"
    with new_repository(root) as repository:
        commit_runs(repository, [Mode.STAGING] * 2)
        git(root, "branch", "side", LOG)
        runs = commit_runs(repository, [Mode.PROD] * 3, first=10)
        commit_runs(repository, [Mode.STAGING], first=20)
        git(root, "checkout", "-q", "-b", "beside")
        (root / "beside").write_text("x")
        commit_all(root, "beside")
        git(root, "checkout", "-q", "main")
        git(root, "merge", "-q", "--no-ff", "--no-commit", "beside")
        first = next(path for path in runs[0][1] if path.endswith(".json"))
        git(root, "rm", "-q", first)
        git(root, "commit", "-q", "-m", "merge")
        audit, files = runs[2]
        changed = audit.run.model_copy(update={"actor": "eve"})
        again = with_artifacts(audit.model_copy(update={"run": changed}), audit.artifacts)
        second = next(path for path in files if path.endswith(".json"))
        (root / second).write_text(to_json(again))
        evil = commit_all(root, "tidy up")
        proof = prove_evidence(repository)
        assert {each.rule for each in proof.faults} >= {"evidence-removed", "audit-resealed"}
        return Ground(root=root, evil=evil, proof=proof, origins=origins(repository))


@pytest.fixture
def copy(ground: Ground, tmp_path: Path) -> Path:
    shutil.copytree(ground.root, tmp_path / "p", symlinks=True)
    return tmp_path / "p"


@pytest.mark.parametrize(
    ("lie", "about"),
    [
        *(pytest.param(HISTORY[name], at, id=f"{name}, {at}") for name in HISTORY for at in ABOUT),
        *(pytest.param(SETTINGS[name], "HEAD", id=name) for name in SETTINGS),
    ],
)
def test_the_history_is_what_the_objects_say(
    ground: Ground, copy: Path, lie: Lie, about: str
) -> None:
    lie(copy, git(copy, "rev-parse", about))
    with opened(copy) as repository:
        assert prove_evidence(repository) == ground.proof
        assert origins(repository) == ground.origins


VARIABLES = {
    "GIT_SHALLOW_FILE": "shallow",
    "GIT_GRAFT_FILE": "shallow",
    "GIT_REPLACE_REF_BASE": "refs/heads/",
    "GIT_NO_REPLACE_OBJECTS": "",
    "GIT_NAMESPACE": "other",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "nowhere",
    "GIT_CONFIG_COUNT": "1",
    "GIT_DIFF_OPTS": "-u0",
    "GIT_EXTERNAL_DIFF": "true",
    "GIT_TRACE": "1",
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_variable_of_git_hides_a_fault(
    ground: Ground, copy: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of history that is cut off it is said that it is."""
    (copy / "shallow").write_text(f"{ground.evil}\n")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "log.diffMerges")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "none")
    value = VARIABLES[variable]
    monkeypatch.setenv(variable, str(copy / value) if value == "shallow" else value)
    with opened(copy) as repository:
        proof = prove_evidence(repository)
    if proof.faults[-1].rule != "evidence-shallow":
        assert proof == ground.proof


# -- signatures ------------------------------------------------------------------------------------


FILE = "ops/audit/staging_20270101T000000Z_x.json"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen on this machine")
    place = tmp_path_factory.mktemp("keys")
    new_key(place, "ada")
    return place


@pytest.fixture
def signed(tmp_path: Path, keys: Path) -> Iterator[Repository]:
    """A log on which Ada has signed a file, and a branch beside it with another text of it."""
    root = tmp_path / "p"
    with new_repository(root) as repository:
        repository.commit_evidence(LOG, {"ops/audit/base": b""}, "the log", None)
        repository.commit_evidence("other", {FILE: b"forged"}, "forged", None)
        git(root, "config", "user.signingkey", str(keys / "ada"))
        git(root, "config", "gpg.format", "ssh")
        repository.commit_evidence(LOG, {FILE: b"true"}, "signed", None, sign=True)
        yield repository


LIES: dict[str, Lie] = {
    "the tree of another commit": commit_graph(tree="other"),
    "no parent": commit_graph(parent="none"),
    "a forged tree": forged_object("^{tree}", "other^{tree}"),
    "a forged folder": forged_object(":ops/audit", "other:ops/audit"),
    "a forged blob": forged_object(f":{FILE}", f"other:{FILE}"),
    "a forged commit": forged_object("", "other"),
    "a forged parent": forged_object("~1", "other"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_signature_covers_what_the_signed_commit_holds(
    signed: Repository, keys: Path, lie: Lie
) -> None:
    """Whoever has signed has signed "true", and not what this clone makes of it."""
    allowed = signer_line(keys / "ada", "ada")
    commit = git(signed.root, "rev-parse", LOG)
    assert signer_of(signed, commit, allowed) == "ada"
    lie(signed.root, commit)
    found = [data for path, data in evidence_of(signed) if path == FILE]
    for data in dict.fromkeys([*found, b"forged"]):
        try:
            brought = origins_of(signed, Mode.STAGING, FILE, data)
            assert not [signer_of(signed, each.commit, allowed) for each in brought] or data == (
                b"true"
            )
        except EvidenceError:
            continue


def evidence_of(repository: Repository) -> list[tuple[str, bytes]]:
    try:
        return list(repository.evidence(Mode.STAGING))
    except EvidenceError:
        return []
