"""The proof of a group holds for its own databases: for the same schema, batch and result."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import sql

from pytest_housekeeping.checks.rows.question import Forms, Question, Source, Unasked
from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import MisuseError, ProofFailed
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Lock,
    Mode,
    Outcome,
    Phase,
    Step,
    StepResult,
)
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.postgres.batch_facts import (
    AccessChange,
    BatchFacts,
    ObjectChange,
    TakenLock,
)
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.fleet.survey import (
    Seen,
    _grouped,
    _refuse_twice,
    without_drift,
)
from pytest_housekeeping.promotion.production.group.proof import (
    GroupProof,
    holds_for,
    refuse_other_group,
)
from pytest_housekeeping.promotion.production.group.rehearsal import GroupRehearsal, proof_of_group
from pytest_housekeeping.promotion.production.of_fleet.databases import FleetDatabase
from pytest_housekeeping.promotion.production.of_fleet.handed import _HANDED, Handed, hand
from pytest_housekeeping.snapshot.compare.own_names import group_schema
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from support.evidence_samples import TARGET
from support.schemas import schema
from support.staged_project import make_project, staged_copy

BEFORE, AFTER = schema("table a"), schema("table a", "table b")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunContext]:
    place = tmp_path_factory.mktemp("group")
    make_project(place / "p")
    with (
        pytest.MonkeyPatch.context() as patch,
        staged_copy(place / "p", place / "copy", patch) as staged,
    ):
        yield staged.context(Mode.PROD)


@pytest.fixture
def proof(context: RunContext) -> GroupProof:
    return GroupProof(
        shown_on="tenants/t1",
        shown_at=datetime.now(UTC),
        schema=group_schema(BEFORE, "t1", context.config.target),
        plan=context.plan.digest,
        results={},
        changes={},
        facts={},
        seconds={},
        questions=(),
    )


def test_another_schema_is_another_group(context: RunContext, proof: GroupProof) -> None:
    refuse_other_group(proof, context, BEFORE, "t2")
    with pytest.raises(ProofFailed, match="the schema is not the one of tenants/t1"):
        refuse_other_group(proof, context, AFTER, "t2")


def test_another_batch_was_not_rehearsed(context: RunContext, proof: GroupProof) -> None:
    with pytest.raises(ProofFailed, match="another one than was rehearsed for the group"):
        refuse_other_group(replace(proof, plan="other"), context, BEFORE, "t2")


def test_what_was_shown_of_the_own_tables_is_so_in_the_very_schema_alone(
    context: RunContext, proof: GroupProof
) -> None:
    """And as who promotes, and of this batch: else it is asked of the database itself."""
    shown = replace(proof, promoter=TARGET.user)
    identity = replace(TARGET, database="t2")
    assert holds_for(shown, context, BEFORE, identity)
    assert not holds_for(shown, context, AFTER, identity)
    assert not holds_for(shown, context, BEFORE, replace(identity, user="another"))
    assert not holds_for(replace(shown, plan="other"), context, BEFORE, identity)


def test_what_the_batch_makes_is_what_it_made_there(context: RunContext) -> None:
    rehearsal = GroupRehearsal(
        context=context,
        target=None,  # type: ignore[arg-type]  # there is no copy
        original=lambda: BEFORE,
        promoter="promoter",
        _expected={1: SchemaRecord(fingerprint=AFTER)},
    )
    assert rehearsal.prove_same(AFTER, 1).fingerprint == AFTER
    with pytest.raises(ProofFailed, match="has made something else here than where its group"):
        rehearsal.prove_same(schema("table a", "table x"), 1)


def test_what_was_told_of_one_is_told_of_another_by_its_names(proof: GroupProof) -> None:
    """Locks, access, questions and findings: by whole identifiers, quoted or not."""
    note = "acme_own.note"
    table = sql.Identifier("acme_own", "note")
    rows = sql.SQL("{} WHERE who = {} AND acme_own_old").format(table, sql.Literal("acme_app"))
    form = sql.SQL("SELECT count(*) FROM {}").format(rows)
    source = Source(table=table, rows=rows, place=sql.Identifier("ctid"), keys=())
    question = Question(
        object=f"column body of table {note}",
        demand="is NULL",
        table=note,
        source=source,
        forms=Forms(counted=form, shown=form, evaluated=sql.SQL("acme_own.f(body)")),
    )
    changed = ObjectChange(object=f"table {note}", kind="table", change="changed", after="x")
    facts = BatchFacts(
        segment=1,
        changes=(changed,),
        locks=(TakenLock(relation=note, mode="AccessExclusiveLock", step="apply"),),
        access=(
            AccessChange(role="acme_app", relation=note, commands="SELECT", before="", after="all"),
        ),
    )
    step = Step(id="rehearse::x", phase=Phase.REHEARSE, kind=Kind.REHEARSAL)
    found = Finding(rule="x", level=Level.WARNING, object=note, detail="d", fix="REVOKE … acme_app")
    result = StepResult(
        step=step,
        outcome=Outcome.PASSED,
        findings=(found,),
        locks=(Lock(relation=note, mode="ShareLock"),),
    )
    of_acme = replace(
        proof,
        names={"app": "acme_app", "own": "acme_own"},
        facts={1: facts},
        questions=(question, Unasked(object=note, why="it is new")),
        results={step.id: result},
    )
    assert of_acme.called(of_acme.names) is of_acme
    zeta = of_acme.called({"app": "zeta_app", "own": "zeta_own"})
    told = f"{zeta.facts} {zeta.questions} {zeta.results}"
    assert "acme" not in told.replace("acme_own_old", "")
    asked = zeta.questions[0]
    assert isinstance(asked, Question)
    assert asked.source.rows.as_string(None) == (
        """"zeta_own"."note" WHERE who = 'zeta_app' AND acme_own_old"""
    )
    assert zeta.facts[1].access[0].role == "zeta_app"
    assert zeta.results[step.id].step is step


def test_one_database_by_two_addresses_is_refused() -> None:
    fleet = Fleet(name="tenants", env="T")
    seen = [
        Seen(database=FleetDatabase(name=name, database="d"), place="700/d") for name in ("a", "b")
    ]
    _refuse_twice(fleet, seen[:1])
    with pytest.raises(MisuseError, match="a and b are the same database"):
        _refuse_twice(fleet, seen)


def test_alike_is_what_has_the_same_schema_version_and_history(tmp_path: Path) -> None:
    (tmp_path / "sql/migrations").mkdir(parents=True)
    one = Seen(database=FleetDatabase(name="a", database="a"), schema="x", major=16)
    file = AppliedFile(
        path="sql/migrations/0001_a.sql", sha256="1", kind=Kind.MIGRATION, commit="c"
    )
    others = [
        replace(one, database=FleetDatabase(name="b", database="b")),
        replace(one, database=FleetDatabase(name="c", database="c"), schema="y"),
        replace(one, database=FleetDatabase(name="d", database="d"), major=17),
        replace(one, database=FleetDatabase(name="e", database="e"), applied=(file,)),
    ]
    groups = list(_grouped(Config(root=tmp_path), [one, *others]))
    assert [group.names for group in groups] == [("a", "b"), ("c",), ("d",), ("e",)]


def test_what_was_changed_past_the_files_is_left_out_unless_it_is_accepted() -> None:
    """As just that schema, and never where something else is wrong."""
    as_it_was = Seen(database=FleetDatabase(name="a", database="a"), schema="x", major=16)
    drifted = replace(as_it_was, drift="changed past the files: table t")
    assert without_drift(as_it_was, None) == as_it_was
    told = "changed past the files: table t; to promote to all that have just this:"
    for accepted in (None, "", "y"):
        assert without_drift(drifted, accepted).wrong == f"{told} --hk-accept-drift=x"
    assert without_drift(drifted, "x") == drifted
    wrong = replace(drifted, wrong="no safe connection")
    assert without_drift(wrong, "x") == wrong


def test_a_watch_that_asks_something_else_makes_a_copy_of_its_own(
    context: RunContext, proof: GroupProof, tmp_path: Path
) -> None:
    """It was promoted with other checks than the database on which the group was shown. A promotion
    goes on, and is refused by name."""
    place = tmp_path / "group-1.proof"
    watch = replace(context.plan, mode=Mode.VERIFY)
    hand(Handed(target=context.config.target, proof=place))
    try:
        assert proof_of_group(watch) is None  # nothing is shown yet
        place.write_bytes(pickle.dumps(proof))
        assert proof_of_group(watch) == proof
        place.write_bytes(pickle.dumps(replace(proof, plan="another")))
        assert proof_of_group(watch) is None
        assert proof_of_group(context.plan) is not None
    finally:
        _HANDED.clear()
