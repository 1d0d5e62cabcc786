"""What of a plan everybody may read: classes for numbers; no host, database or user, no row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.model import CLONE, ROWS, Kind, Outcome
from pytest_housekeeping.plan.steps import CHANGES, IMPACT, REHEARSE, RESULT, RUNNING

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.batch import RelationNowRecord
    from pytest_housekeeping.evidence.model.clone import CloneRecord
    from pytest_housekeeping.evidence.model.findings import FindingRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord

# What the schema of the files decides, on a copy: none of it can quote a row of production.
_OF_THE_SCHEMA = (Kind.OBJECT, Kind.RLS, Kind.BOUNDARY, Kind.LINT)
# What is asked of the batch names objects of the schema, or places in files.
_OF_THE_BATCH = tuple(
    f"{REHEARSE}::{name}" for name in (RESULT, IMPACT, CHANGES, ROWS, CLONE, RUNNING)
)
# The repair that a rule knows is written without having seen production.
_BY_RULES = f"{REHEARSE}::{CHANGES}"
_COUNTS = ((100_000_000, "> 100 M rows"), (1_000_000, "> 1 M rows"), (10_000, "> 10 k rows"))
_SIZES = ((100 << 30, "> 100 GB"), (10 << 30, "> 10 GB"), (1 << 30, "> 1 GB"))
_TIMES = ((600, "> 10 min"), (60, "> 1 min"), (10, "> 10 s"), (1, "> 1 s"))
_HOT = 10
_PLACE = re.compile(r"^(?P<place>[^\s:]+:\d+:\d+): ")
_HIDDEN = "…"
_NO_PLACE = {"host": "", "port": 0, "database": "", "as_of": "", "since": "", "behind": None}


def for_everybody(audit: Audit) -> Audit:
    """The audit without what only those may read who may read production.

    Of a step, its message stays where the schema alone decides it; of a finding, its object where
    it is one of the schema or a place in a file, and its repair where the rule alone writes it.
    """
    kinds = {step.id: step.kind for step in audit.steps}
    fixed = tuple(_finding(each, kinds.get(each.step)) for each in audit.compared.fixed)
    batch = tuple(each.model_copy(update={"messages": ()}) for each in audit.batch)
    applied = tuple(
        each.model_copy(update={"at": "", "by": ""}) for each in audit.production.applied
    )
    return audit.model_copy(
        update={
            "run": audit.run.model_copy(update={"actor": "", "message": ""}),
            "target": None,
            "steps": tuple(_step(each) for each in audit.steps),
            "findings": tuple(_finding(each, kinds.get(each.step)) for each in audit.findings),
            "compared": audit.compared.model_copy(update={"fixed": fixed}),
            "batch": batch,
            "production": audit.production.model_copy(update={"applied": applied}),
            "clone": audit.clone.model_copy(update=_NO_PLACE) if audit.clone else None,
            "lock_conflicts": (),
        }
    )


def masked(audit: Audit) -> Callable[[str], str]:
    """Takes host, database, user and identifier of the target out of a text, as whole words.

    ``shop`` is one of them, and ``shop.orders`` a table.
    """
    target, clone = audit.target, audit.clone
    known = {target.host, target.database, target.user, target.system_identifier} if target else {}
    names = {*known, *((clone.host, clone.database) if clone else ())} - {""}
    if not names:
        return str
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found = re.compile(rf'(?<![\w.])"?(?:{words})"?(?::\d+)?(?!\w|\.[\w"])', re.IGNORECASE)
    return lambda text: found.sub(_HIDDEN, text)


def row_classes(audit: Audit) -> dict[str, str]:
    """Of each relation that the batch touches ``> 1 M rows``."""
    return {each.relation: _rows(each) for each in audit.production.relations}


def classes(audit: Audit) -> dict[str, str]:
    """Of each of them ``> 1 M rows, > 10 GB, hot``."""
    return {each.relation: _relation(each) for each in audit.production.relations}


def clone_classes(clone: CloneRecord) -> Iterator[str]:
    """Of each file ``> 10 s, > 1 M rows written``, and which tables grow by much."""
    for file in clone.files:
        rows = _class_of(file.rows, _COUNTS) or ("few rows" if file.rows else "")
        told = [_class_of(file.duration_s, _TIMES) or "< 1 s", f"{rows} written" if rows else ""]
        yield f"{file.path}: {', '.join(filter(None, told))}"
    for each in clone.growth:
        more = each.table_after + each.indexes_after - each.table_before - each.indexes_before
        if size := _class_of(more, _SIZES):
            yield f"{each.relation}: {size} more"
    yield from (f"left out, for no transaction can hold it: {each}" for each in clone.left_out)


def _step(step: StepRecord) -> StepRecord:
    step = step.model_copy(update={"coverage": ()})
    if step.outcome is not Outcome.FAILED or step.kind in _OF_THE_SCHEMA:
        return step
    place = _PLACE.match(step.message)
    known = place is not None and bool(step.id.startswith(place["place"].partition(":")[0]))
    return step.model_copy(update={"message": place["place"] if place and known else ""})


def _finding(finding: FindingRecord, kind: Kind | None) -> FindingRecord:
    if kind in _OF_THE_SCHEMA:
        return finding
    object_ = finding.object if finding.step in _OF_THE_BATCH else ""
    fix = finding.fix if finding.step == _BY_RULES else ""
    return finding.model_copy(
        update={"object": object_, "detail": "", "fix": fix, "leak": "", "role": "", "because": ""}
    )


def _rows(now: RelationNowRecord) -> str:
    if now.rows is None:
        return "rows that nobody has counted"
    return _class_of(now.rows, _COUNTS) or ("few rows" if now.rows else "no rows")


def _relation(now: RelationNowRecord) -> str:
    told = [_rows(now), _class_of(now.size or 0, _SIZES)]
    told += ["hot"] * ((now.writes_per_s or 0) >= _HOT)
    return ", ".join(filter(None, told))


def _class_of(number: float, bounds: tuple[tuple[int, str], ...]) -> str:
    return next((name for bound, name in bounds if number > bound), "")
