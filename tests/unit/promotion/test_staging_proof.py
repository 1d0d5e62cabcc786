"""What production takes for staging's proof: one honest audit, and every forgery of it refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import stem
from pytest_housekeeping.evidence.audit import seal
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.prechecks.staging_proof import proved_in_staging
from support.evidence_samples import forged
from support.fresh_copy import git
from support.staged_project import FILES, LOG, PRODUCTION, Staged, make_project, staged_copy

Document = dict[str, Any]
CHECK, TRIPWIRE = "checks/queries/q.sql::query", "tripwire::rls-not-enabled"
SECOND = "sql/migrations/0002_b.sql"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("staged") / "p"
    make_project(root)
    return root


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    with staged_copy(template, tmp_path / "p", monkeypatch) as copy:
        yield copy


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A project for many forgeries, each alone on its log: only the log differs between them."""

    staged: Staged
    honest: Audit
    promotion: RunContext


@pytest.fixture(scope="module")
def ground(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    place = tmp_path_factory.mktemp("forged") / "p"
    with pytest.MonkeyPatch.context() as patch, staged_copy(template, place, patch) as copy:
        yield Ground(staged=copy, honest=copy.audit(), promotion=copy.context(Mode.PROD))


def proved(staged: Staged, promotion: RunContext | None = None) -> str:
    return proved_in_staging(promotion or staged.context(Mode.PROD), PRODUCTION)[1]


def refused(staged: Staged, promotion: RunContext | None = None) -> str:
    with pytest.raises(ProofFailed) as caught:
        proved(staged, promotion)
    assert "fix: run pytest --hk-mode=staging on this commit" in str(caught.value)
    return caught.value.found


@pytest.mark.parametrize("mode", [Mode.PROD, Mode.PLAN])
def test_an_honest_one_proves_the_plan(staged: Staged, mode: Mode) -> None:
    """A look at a promotion tells what the promotion will say."""
    path = staged.keep(staged.audit())
    assert proved(staged, staged.context(mode)) == f"proved by {path}"


def test_what_another_target_has_is_tried_for_that_one(staged: Staged) -> None:
    """A plain staging run replays what production has, and proves another plan."""
    context = staged.context(Mode.PROD)
    target = replace(context.config.target, name="tenants/acme")
    with pytest.raises(ProofFailed) as caught:
        proved(staged, replace(context, config=replace(context.config, target=target)))
    assert "fix: run pytest --hk-mode=staging --hk-target=tenants/acme on" in str(caught.value)


def test_one_from_a_remote_and_one_that_is_chained(staged: Staged) -> None:
    # Only the chained one can prove the plan.
    first = forged(staged.audit(), changed("run", outcome="rolled_back"))
    staged.keep(first)
    second = forged(staged.audit(), chained_to(first.chain.digest))
    path = staged.keep(second)
    git(
        staged.root,
        *("update-ref", "refs/remotes/origin/housekeeping/audit/staging"),
        "refs/heads/housekeeping/audit/staging",
    )
    git(staged.root, "update-ref", "-d", "refs/heads/housekeeping/audit/staging")
    assert proved(staged) == f"proved by {path}"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda tools: [
                {**each, "version": "0.1"} if each["name"] == "sqlfluff" else each for each in tools
            ],
            "it ran with other versions: sqlfluff 0.1 (here ",
        ),
        (
            lambda tools: [each for each in tools if each["name"] != "psycopg-binary"],
            "it ran with other versions: psycopg-binary not at all (here ",
        ),
        (
            lambda tools: [*tools, {"name": "more", "version": "1"}],
            "it ran with other versions: more 1 (here not at all): install the same for both",
        ),
        (
            lambda tools: [
                {**each, "version": "2.7"} if each["name"] == "python" else each for each in tools
            ],
            "it ran with other versions: python 2.7 (here 3.",
        ),
        (lambda _: [], "it does not say with which versions it ran: install the same for both"),
    ],
)
def test_it_ran_with_the_versions_that_are_installed_here(
    staged: Staged, edit: Callable[[list[Document]], list[Document]], said: str
) -> None:
    def edited(document: Document) -> None:
        document["source"]["tools"] = edit(document["source"]["tools"])

    staged.keep(forged(staged.audit(), edited))
    assert said in refused(staged)


def chained_to(digest: str) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        document["chain"]["previous"] = digest

    return edit


def planned(document: Document, identity: str) -> Document:
    step: Document = next(each for each in document["plan"]["steps"] if each["id"] == identity)
    return step


def recorded(document: Document, identity: str) -> Document:
    step: Document = next(each for each in document["steps"] if each["id"] == identity)
    return step


def without(identity: str) -> Callable[[Document], None]:
    """Neither planned nor recorded."""

    def edit(document: Document) -> None:
        document["plan"]["steps"].remove(planned(document, identity))
        document["steps"].remove(recorded(document, identity))

    return edit


def ended(identity: str, outcome: str) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        recorded(document, identity)["outcome"] = outcome

    return edit


def changed(part: str, **values: object) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        document[part].update(values)

    return edit


def not_recorded(document: Document) -> None:
    document["steps"].remove(recorded(document, CHECK))


def another_text(document: Document) -> None:
    planned(document, f"{SECOND}::apply")["sha256"] = "a" * 64


def another_check(document: Document) -> None:
    planned(document, CHECK)["sha256"] = "a" * 64


def another_style(document: Document) -> None:
    planned(document, "style::sql/migrations")["sha256"] = "a" * 64


def one_more(document: Document) -> None:
    step = {**planned(document, CHECK), "id": "checks/queries/r.sql::query"}
    document["plan"]["steps"].append({**step, "path": "checks/queries/r.sql"})
    document["steps"].append({**recorded(document, CHECK), "id": step["id"]})


def one_more_of_staging(document: Document) -> None:
    """A rollback file that no commit has."""
    step = {
        "id": "sql/rollback/0001_a.sql::round-trip",
        "phase": "verify",
        "kind": "rollback",
        "segment": 1,
    }
    file = {"path": "sql/rollback/0001_a.sql", "sha256": "a" * 64}
    document["plan"]["steps"].append(step | file)
    document["steps"].append(step | {"outcome": "passed", "duration_s": 0.0})


def other_order(document: Document) -> None:
    steps = document["plan"]["steps"]
    first, second = (
        planned(document, f"sql/migrations/{name}::apply")
        for name in (
            "0001_a.sql",
            "0002_b.sql",
        )
    )
    at, behind = steps.index(first), steps.index(second)
    steps[at], steps[behind] = second, first


def other_code(document: Document) -> None:
    document["source"]["code"][0]["sha256"] = "a" * 64


def less_code(document: Document) -> None:
    document["source"]["code"] = []


def code_of_no_commit(document: Document) -> None:
    document["source"]["code"].append({"path": "lib/helper.py", "sha256": "a" * 64})


def of_a_lost_commit(document: Document) -> None:
    """Nobody can look it up, and what is promoted does not hold what it says has run."""
    code_of_no_commit(document)
    document["source"]["commit"] = "f" * 40


def code_from_outside(document: Document) -> None:
    document["source"]["code"].append({"path": "../lib/helper.py", "sha256": "a" * 64})


def dirty(document: Document) -> None:
    document["source"].update(dirty=True, dirty_paths=["conftest.py"])


def secretly_dirty(document: Document) -> None:
    document["source"]["dirty_paths"] = ["conftest.py"]


def on_production(document: Document) -> None:
    document["target"]["system_identifier"] = PRODUCTION.system_identifier


def nowhere(document: Document) -> None:
    document["target"].update(server_version="", system_identifier="")


def in_the_future(document: Document) -> None:
    document["run"].update(finished_at="2999-01-01T00:00:00Z", started_at="2999-01-01T00:00:00Z")
    document["run"]["duration_s"] = 0.0


def before_its_commit(document: Document) -> None:
    document["run"].update(finished_at="2001-01-01T00:00:00Z", started_at="2001-01-01T00:00:00Z")
    document["run"]["duration_s"] = 0.0


FORGERIES = [
    (ended(CHECK, "failed"), f"{CHECK} has failed"),
    (ended(CHECK, "skipped"), f"that {CHECK} was skipped"),
    (ended("promote", "skipped"), "that promote was skipped"),
    (ended(TRIPWIRE, "skipped"), f"that {TRIPWIRE} was skipped"),
    (ended("verify::restore", "failed"), "verify::restore has failed"),
    (ended("verify::restore", "skipped"), "verify::restore was skipped"),
    (without("verify::restore"), "its plan lacks verify::restore"),
    (not_recorded, f"it has 0 records of {CHECK}"),
    (without(CHECK), f"its plan lacks {CHECK}, which staging of these files plans"),
    (without(f"{SECOND}::apply"), f"its plan lacks {SECOND}::apply"),
    (without("sql/seeds/s.sql::apply"), "its plan lacks sql/seeds/s.sql::apply"),
    (without("precheck::server"), "its plan lacks precheck::server"),
    (without(TRIPWIRE), f"its plan lacks {TRIPWIRE}"),
    (without("style::sql/migrations"), "its plan lacks style::sql/migrations"),
    (without("style::sql/seeds"), "its plan lacks style::sql/seeds"),
    (another_style, "its plan has another style::sql/migrations"),
    (without("promote"), "and has 0 COMMITs"),
    (another_text, f"its plan has another {SECOND}::apply"),
    (another_text, f"has another {SECOND} than the one it says has run"),
    (another_check, f"its plan has another {CHECK}"),
    (one_more, "which staging of these files does not plan"),
    (one_more, "has no checks/queries/r.sql, which it says has run"),
    (one_more_of_staging, "has no sql/rollback/0001_a.sql, which it says has run"),
    (other_order, "its plan has the files and checks in another order"),
    (other_code, "than the one it says has run"),
    (less_code, "it has run another conftest.py, or none"),
    (code_of_no_commit, "has no lib/helper.py, which it says has run"),
    (code_from_outside, "has no ../lib/helper.py, which it says has run"),
    (dirty, "it ran on files that are in no commit: conftest.py"),
    (secretly_dirty, "it does not say which files were in no commit"),
    (changed("run", mode="prod"), "it is the audit of a run of mode prod"),
    (changed("run", mode="verify"), "it is the audit of a run of mode verify"),
    (changed("run", id="other"), "whose file is called staging_"),
    (changed("run", outcome="rolled_back"), "its run was rolled_back"),
    (changed("run", outcome="promoted_unproved"), "its run was promoted_unproved"),
    (changed("run", duration_s=99.0), "and says 99.0 s"),
    (changed("source", commit=None), "it attests no commit"),
    (of_a_lost_commit, "the commit that it attests is not here: ffff"),
    (of_a_lost_commit, "has no lib/helper.py, which it says has run"),
    (changed("source", commit="main"), "it attests no commit: main"),
    (changed("source", commit="HEAD"), "it attests no commit: HEAD"),
    (changed("plan", segments=2), "of 2 segments, and has 1 COMMITs"),
    (on_production, "it ran on production itself (system identifier 7000000000000000001)"),
    (nowhere, "it does not say on which server it ran"),
    (lambda document: document.update(target=None), "names no database"),
    (in_the_future, "it ended in the future"),
    (before_its_commit, "it ended before the commit was made that it attests"),
    (chained_to("e" * 64), "the audit before it, eeeeeeeeeeee, is not among the committed ones"),
]


@pytest.mark.parametrize(("edit", "words"), FORGERIES)
def test_a_forgery_that_has_its_digest(
    ground: Ground, edit: Callable[[Document], None], words: str
) -> None:
    staged, honest = ground.staged, ground.honest
    git(staged.root, "update-ref", "-d", f"refs/heads/{LOG}")
    path = staged.keep(forged(honest, edit), name=f"{stem(honest.run)}.json")
    found = refused(staged, ground.promotion)
    assert f"{path}: " in found
    assert words in found, found


def test_made_by_hand_and_sealed_with_the_public_function(staged: Staged) -> None:
    """What issue 11 names: no steps, no target, and the digest of the plan."""
    honest = json.loads(to_json(staged.audit()))
    made = seal({**honest, "plan": {**honest["plan"], "steps": []}, "steps": [], "target": None})
    path = staged.keep(made)
    found = refused(staged)
    for words in ("its plan has no steps", "names no database", "lacks precheck::files"):
        assert words in found
    assert f"{path}: and " in found


def test_edited_and_not_sealed_again(staged: Staged) -> None:
    audit = staged.audit()
    text = to_json(audit).replace('"examined": 1,', '"examined": 2,', 1)
    path = f"ops/audit/{stem(audit.run)}.json"
    staged.keep_file(path, text.encode())
    assert f"{path} was edited: it does not have its digest" in refused(staged)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"schema_version": 1', '"schema_version": 2'), ('"findings"', '"more": 1, "findings"')],
)
def test_of_a_version_that_nobody_knows(staged: Staged, old: str, new: str) -> None:
    audit = staged.audit()
    path = f"ops/audit/{stem(audit.run)}.json"
    staged.keep_file(path, to_json(audit).replace(old, new, 1).encode())
    assert f"{path} is no audit of schema version 1" in refused(staged)


def test_what_is_no_audit_at_all_keeps_nobody_up(staged: Staged) -> None:
    for number, data in enumerate((b"", b"[]", b"{}", b'{"plan": {}, "run": 1}', b"\xff")):
        staged.keep_file(f"ops/audit/staging_20270101T00000{number}Z_x.json", data)
    assert "none of 5 committed staging audits proves this plan" in refused(staged)
    path = staged.keep(staged.audit())
    assert proved(staged) == f"proved by {path}"


def test_of_a_commit_that_is_gone(staged: Staged) -> None:
    """As after a squash, or where staging ran on the merge that a pull request was tried as."""
    staged.commit({"README.md": "tried alone\n"})
    audit = staged.audit()
    assert audit.source.commit == git(staged.root, "rev-parse", "HEAD")
    git(staged.root, "reset", "-q", "--hard", "HEAD~1")
    git(staged.root, "reflog", "expire", "--expire=now", "--all")
    git(staged.root, "gc", "-q", "--prune=now")
    path = staged.keep(audit)
    assert proved(staged) == f"proved by {path}"


def test_code_outside_of_checks_that_has_changed_since(staged: Staged) -> None:
    """No plan names it, so that the digest of the plan is the same."""
    staged.commit({"lib/rules.py": "STRICT = True\n"})

    def ran_rules(document: Document) -> None:
        sha256 = hashlib.sha256(b"STRICT = True\n").hexdigest()
        document["source"]["code"].append({"path": "lib/rules.py", "sha256": sha256})

    path = staged.keep(forged(staged.audit(), ran_rules))
    assert proved(staged) == f"proved by {path}"
    changed_in = staged.commit({"lib/rules.py": "STRICT = False\n"})
    assert f"commit {changed_in[:12]} has another lib/rules.py" in refused(staged)


def test_of_a_commit_that_holds_other_files(staged: Staged) -> None:
    """It exists, and is older: what it says has run is not what it holds."""
    earlier = git(staged.root, "rev-parse", "HEAD~1")
    staged.keep(forged(staged.audit(), changed("source", commit=earlier)))
    assert f"commit {earlier[:12]} has another {SECOND} than the one" in refused(staged)


def test_of_a_commit_of_a_year_without_a_date(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git counts further than Python's dates do."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@999999999999 +0000")
    commit = staged.commit({"README.md": "later\n"})
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    staged.keep(staged.audit())
    assert f"it ended before the commit was made that it attests, {commit[:12]}" in refused(staged)


def test_of_a_commit_that_git_shows_as_another(staged: Staged) -> None:
    earlier, head = (git(staged.root, "rev-parse", name) for name in ("HEAD~1", "HEAD"))
    staged.keep(forged(staged.audit(), changed("source", commit=earlier)))
    git(staged.root, "replace", earlier, head)
    assert f"commit {earlier[:12]} has another {SECOND} than the one" in refused(staged)


def by_hand(staged: Staged, path: str, data: bytes) -> None:
    """Committed where everything else is."""
    staged.write({path: data})
    git(staged.root, "add", "--force", path)
    git(staged.root, "commit", "--quiet", "-m", "evidence")


def on_the_log_of_another_mode(staged: Staged, path: str, data: bytes) -> None:
    staged.keep_file(path, data, branch="housekeeping/audit/verify")


@pytest.mark.parametrize("bring", [by_hand, on_the_log_of_another_mode])
def test_that_staging_has_not_committed_to_its_log(
    staged: Staged, bring: Callable[[Staged, str, bytes], None]
) -> None:
    audit = staged.audit()
    path = f"ops/audit/{stem(audit.run)}.json"
    bring(staged, path, to_json(audit).encode())
    assert f"{path}: it is not on housekeeping/audit/staging" in refused(staged)


def test_of_another_project_of_the_repository(staged: Staged, tmp_path: Path) -> None:
    """Its files have the same names and texts from its own root, and are not ours."""
    other = {f"other/{name}": text for name, text in FILES.items()}
    staged.commit({**other, "sql/migrations/0002_b.sql": "CREATE TABLE b (id text);\n"})
    audit = Staged(root=staged.root / "other", repository=staged.repository).audit()
    path = staged.keep(forged(audit, digest_of_ours(staged)))
    found = refused(staged)
    assert f"{path}: " in found
    assert f"its plan has another {SECOND}::apply than staging of these files" in found


def digest_of_ours(staged: Staged) -> Callable[[Document], None]:
    ours = staged.context(Mode.PROD).plan.digest

    def edit(document: Document) -> None:
        document["plan"]["digest"] = ours

    return edit


def test_a_promotion_that_was_relabelled(staged: Staged) -> None:
    """The audit of production's own run, called staging's: its steps are not those of staging."""
    audit = staged.audit(Mode.PROD, target=PRODUCTION)
    staged.keep(forged(audit, changed("run", mode="staging")), name=_staging_name(audit))
    found = refused(staged)
    assert "ran on production itself" in found


def _staging_name(audit: Audit) -> str:
    return f"{stem(audit.run).replace('prod_', 'staging_', 1)}.json"


def test_one_that_ended_badly_does_not_outweigh_one_that_ended_well(staged: Staged) -> None:
    staged.keep(staged.audit(outcome=RunOutcome.UNKNOWN))
    assert "its run was unknown" in refused(staged)
    staged.keep(staged.audit())
    assert proved(staged).startswith("proved by ")
