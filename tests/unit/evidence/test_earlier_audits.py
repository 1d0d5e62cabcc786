"""Audits of every version that there ever was are read, and have the digest that they had then.

``audits/`` has that of 0.1.0, and of each schema from the 30th on one with every field that it
knows and a sparse one, which lacks each value that may be missing. The 30th has whatever those
between had. The schema of today is published, and has its own two, by ``HK_WRITE_DOCS=1``.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.git.committed import FileVersion
from pytest_housekeeping.evidence.model.audit import Audit, json_schema
from pytest_housekeeping.evidence.records import read_record
from support.filled_document import filled
from support.fresh_copy import ROOT

AUDITS = sorted((Path(__file__).parent / "audits").glob("*.json"))
SCHEMA = ROOT / "docs" / "audit.schema.json"


def test_the_schema_of_today_is_published_and_has_its_audit() -> None:
    schema = json_schema()
    name = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:12]
    if os.environ.get("HK_WRITE_DOCS"):
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        SCHEMA.write_text(f"{text}\n", encoding="utf-8")
        if not any(path.stem.endswith(name) for path in AUDITS):
            place = AUDITS[-1].with_name(f"{int(AUDITS[-1].name[:2]) + 1:02}_{name}.json")
            whole = filled(schema, schema["$defs"])
            place.write_text(to_json(_sealed(whole)), encoding="utf-8")
            sparse = to_json(_sealed(_sparse(whole, schema, schema["$defs"])), as_read=True)
            place.with_stem(f"{place.stem}_sparse").write_text(sparse, encoding="utf-8")
        return
    fix = "HK_WRITE_DOCS=1 pytest tests/unit/evidence/test_earlier_audits.py writes both"
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema, fix
    assert [path.name for path in AUDITS if path.stem.endswith(name)], fix


@pytest.mark.parametrize("path", AUDITS, ids=lambda path: path.stem)
def test_it_is_read_as_it_was_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    audit = from_json(text, intact=True)
    assert digest(audit) == json.loads(text)["chain"]["digest"]
    assert to_json(audit, as_read=True) == text
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))
    # The index, the proof and the population read it by this.
    version = FileVersion(path=f"ops/audit/{path.name}", oid="", branches=("HEAD",))
    assert read_record(version, text.encode()).entry is not None


def test_an_audit_of_a_newer_version_is_refused_by_its_name() -> None:
    newer = json.loads(AUDITS[-1].read_text(encoding="utf-8"))
    for change in ({"schema_version": 2}, {"what_nobody_knows_yet": 1}):
        data = json.dumps(newer | change).encode()
        version = FileVersion(path="ops/audit/x.json", oid="", branches=("HEAD",))
        record = read_record(version, data)
        assert record.fault.startswith("it is no audit of schema version 1: ")
        assert record.entry is None


def _sealed(document: Any) -> Audit:
    audit = Audit.model_validate({**document, "chain": {"previous": "x"}})
    chain = audit.chain.model_copy(update={"digest": digest(audit)})
    return audit.model_copy(update={"chain": chain})


def _sparse(document: Any, schema: Any, definitions: Any) -> Any:
    """The document without what may be missing; each object stays, for what it must have."""
    if isinstance(document, list):
        return [_sparse(each, schema["items"], definitions) for each in document[:1]]
    for each in schema.get("anyOf", schema.get("allOf", (schema,))):
        known = definitions.get(str(each.get("$ref", "")).rpartition("/")[2], each)
        if isinstance(document, dict) and "properties" in known:
            return {
                name: _sparse(value, known["properties"][name], definitions)
                for name, value in document.items()
                if name in known.get("required", ()) or "{" in json.dumps(value)
            }
    return document
