"""The record: its names, its digest, its file, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import from_json, to_json, write_audit
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.model.audit import json_schema
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, ProvedOn, RunOutcome, Step
from support.evidence_samples import (
    CONFLICT,
    DOES,
    RLS,
    START,
    facts,
    failed_sample,
    passed,
    sample,
)
from support.fresh_copy import ROOT

SCHEMA = ROOT / "docs" / "audit.schema.json"
PINNED = "aad1059bff8190e1f52b1afeee663aa48a8ae622dc7817e781060e3a8c24ac43"
# The stable names of the design, in order; what else there is comes in addition.
NAMES = {
    "schema_version": "",
    "run": "id mode outcome started_at finished_at duration_s tool_version actor ci_url",
    "source": "commit branch dirty",
    "target": "host port database user server_version system_identifier",
    "plan": "digest steps",
    "steps": "id phase kind outcome duration_s examined message statements rows locks",
    "changes": "",
    "batch": "",
    "production": "looked_s relations applied way_back drift",
    "clone": "",
    "findings": "rule level object detail fix role because since",
    "finding_kinds": "rule level count below",
    "compared": "run at commit why_not fixed exempted",
    "lock_conflicts": "",
    "bound": "digest planned second_person approvals",
    "snapshot": "before after",
    "artifacts": "",
    "chain": "previous digest",
}
LISTS = ("steps", "findings", "finding_kinds")


def test_the_names_are_the_published_ones() -> None:
    document = json.loads(to_json(failed_sample()))
    assert list(document) == list(NAMES)
    for part, names in NAMES.items():
        value = document[part][0] if part in LISTS else document[part]
        if names:
            assert set(names.split()) <= set(value), part
    assert set(document["plan"]["steps"][0]) >= {"id", "phase", "kind", "path", "sha256"}


def test_the_published_schema_is_the_models_and_fits_the_file() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()
    validator = jsonschema.Draft202012Validator(json_schema())
    met, does = sample(conflicts=[CONFLICT]), sample(batch=[DOES])
    for record in (sample(), failed_sample(), sample(target=None), sample(results=()), met, does):
        validator.validate(json.loads(to_json(record)))


def test_json_comes_back_as_it_was() -> None:
    for record in (
        sample(),
        sample(batch=[DOES]),
        failed_sample(previous="p"),
        sample(message="ä\n\x00\u202e<&>'\""),
    ):
        assert from_json(to_json(record)) == record
        assert digest(from_json(to_json(record))) == record.chain.digest


def test_a_step_and_a_finding_are_one_line_each() -> None:
    lines = to_json(failed_sample()).splitlines()
    assert sum('"outcome": "failed"' in line and '"locks"' in line for line in lines) == 1
    assert sum('"rule": "rls-not-forced"' in line and "detail" in line for line in lines) == 1


def test_a_planned_step_without_a_record_is_recorded_as_skipped() -> None:
    record = failed_sample()
    assert [step.id for step in record.steps] == [step.id for step in record.plan.steps]
    assert record.steps[-1].outcome is Outcome.SKIPPED
    assert record.steps[-1].message == "no record: the step was never run"


def test_findings_name_the_step_that_saw_them() -> None:
    finding = failed_sample().findings[0]
    assert (finding.object, finding.fix) == (RLS.object, RLS.fix)
    assert finding.step == "checks/rls.toml::rls-not-forced"


def test_the_digest_covers_everything_but_itself() -> None:
    record = sample()
    document = json.loads(to_json(record))
    document["chain"]["digest"] = "something else"
    assert digest(from_json(json.dumps(document))) == record.chain.digest
    for path, value in [
        (("run", "actor"), "eve"),
        (("run", "message"), "x"),
        (("source", "dirty"), True),
        (("target", "port"), 1),
        (("target",), None),
        (("steps", 1, "rows"), 13),
        (("steps", 1, "locks"), []),
        (("plan", "steps", 0, "sha256"), "0"),
        (("chain", "previous"), "0"),
        (("snapshot", "before"), {"path": "x", "sha256": "y"}),
    ]:
        changed = json.loads(to_json(record))
        part = changed
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        assert digest(from_json(json.dumps(changed))) != record.chain.digest, path


def test_the_digest_of_an_audit_is_for_ever() -> None:
    """A change here breaks the chain of everybody's evidence: a new schema version is due."""
    written = sample()
    before = [step.model_copy(update={"proved_on": ProvedOn.NOWHERE}) for step in written.steps]
    assert {step.proved_on for step in written.steps} != {ProvedOn.NOWHERE}
    assert digest(written.model_copy(update={"steps": tuple(before)})) == PINNED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "valid dictionary|should be an object"),
        (b"\xff", "Invalid JSON|UTF-8"),
        (b'{"schema_version": 1}', "run: Field required"),
        (b'{"schema_version": 2}', "schema_version: Input should be 1"),
    ],
)
def test_a_file_that_is_no_audit_is_named(text: bytes, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        from_json(text, name="ops/audit/prod_1.json")
    assert caught.value.found.startswith("ops/audit/prod_1.json is no audit")
    assert "proves nothing" in caught.value.why
    assert "git" in caught.value.fix


def test_an_edited_audit_is_refused_where_it_must_be_intact() -> None:
    text = to_json(sample())
    assert from_json(text, intact=True) == sample()
    edited = text.replace('"rows": 12', '"rows": 13')
    assert from_json(edited).steps[1].rows == 13
    with pytest.raises(EvidenceError, match=r"prod_1\.json was edited"):
        from_json(edited, name="prod_1.json", intact=True)


def test_unknown_names_are_refused_and_parts_are_frozen() -> None:
    document = json.loads(to_json(sample()))
    document["run"]["extra"] = 1
    with pytest.raises(EvidenceError, match=r"run\.extra"):
        from_json(json.dumps(document))
    with pytest.raises(ValueError, match="frozen"):
        sample().run.actor = "eve"


def test_secrets_are_taken_out_before_the_digest() -> None:
    secrets = Secrets(["s3cr3t-pass-w0rd"])
    step = Step(id="x s3cr3t-pass-w0rd", phase=Phase.VERIFY, kind=Kind.TEST)
    result = passed(step, message="connection to s3cr3t-pass-w0rd failed")
    record = sample(results=(result,), message="s3cr3t-pass-w0rd", secrets=secrets)
    assert not secrets.find(to_json(record))
    assert record.run.message == "[secret]"
    assert digest(record) == record.chain.digest


def test_lone_surrogates_do_not_stop_the_record() -> None:
    record = sample(message="name \udcff here")
    assert record.run.message == "name ? here"
    to_json(record).encode()


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    record = sample()
    path = write_audit(record, tmp_path / "ops/audit", "prod_1")
    assert path == tmp_path / "ops/audit/prod_1.json"
    assert from_json(path.read_bytes()) == record
    assert [entry.name for entry in path.parent.iterdir()] == ["prod_1.json"]
    with pytest.raises(EvidenceError, match="would hold a password"):
        write_audit(sample(message="hunter2-x"), tmp_path, "x", Secrets(["hunter2-x"]))
    assert not list(tmp_path.glob("*.json"))
    (tmp_path / "file").touch()
    with pytest.raises(EvidenceError, match="cannot be written"):
        write_audit(record, tmp_path / "file", "x")


def test_a_large_run_is_recorded_in_little_time() -> None:
    known = facts(Mode.STAGING)
    steps = tuple(
        Step(
            id=f"sql/migrations/{number:04}_table.sql::apply",
            phase=Phase.APPLY,
            kind=Kind.MIGRATION,
            path=f"sql/migrations/{number:04}_table.sql",
            sha256=f"{number:064}",
            segment=1,
        )
        for number in range(5000)
    )
    results = [passed(step, statements=7, rows=1) for step in steps]
    started = time.process_time()
    record = make_audit(
        replace(known, steps=steps),
        outcome=RunOutcome.PROMOTED,
        finished_at=START,
        results=results,
        secrets=Secrets(["kT4vQz9LmX2rWc7YbN5h"]),
    )
    made = time.process_time()
    text = to_json(record)
    written = time.process_time()
    from_json(text)
    read = time.process_time()
    # Far above what it takes (about 0.25, 0.1 and 0.03 s), far below what a person would notice.
    assert made - started < 1.0
    assert written - made < 0.6
    assert read - written < 0.5
    assert len(text) < 3_000_000


def test_pydantic_is_imported_with_this_module_only() -> None:
    code = (
        "import sys\n"
        "import pytest_housekeeping.evidence.journal, pytest_housekeeping.evidence.report.html\n"
        "import pytest_housekeeping.evidence.git.repository, pytest_housekeeping.evidence.secrets\n"
        "import pytest_housekeeping.promotion.recording.recorder\n"
        "import pytest_housekeeping.promotion.production.start\n"
        "print([name for name in ('pydantic', 'git', 'pytest', 'jinja2') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"
