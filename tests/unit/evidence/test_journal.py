"""What a killed run leaves behind, and that the audit made of it claims no more than is known."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Secrets, stem
from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.journal import Journal, start_journal
from pytest_housekeeping.evidence.leftovers import SentTo, leftovers
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.evidence.recovery import recover
from pytest_housekeeping.model import Mode, Outcome, RunOutcome
from pytest_housekeeping.plan.steps import after_steps
from pytest_housekeeping.promotion.repository.applied import committed_segments
from support.evidence_samples import CONFLICT, DOES, NOTICE, TARGET, facts, passed, sample

WHERE = replace(TARGET, timeline=3)
Play = Callable[[Journal], object]


def killed(folder: Path, play: Play, *, segments: int = 1, mode: Mode = Mode.PROD) -> Path:
    """The journal of a run that plays a while and then is gone."""
    written = start_journal(folder, facts(mode, segments))
    written.connected(WHERE)
    play(written)
    written.close()
    return written.path


def nothing(_: Journal) -> None:
    pass


def test_the_name_is_that_of_the_audit(tmp_path: Path) -> None:
    path = killed(tmp_path / "ops/audit", nothing)
    assert path.name == "prod_20270102T030405Z_r1.journal.jsonl"
    assert stem(facts().run) == "prod_20270102T030405Z_r1"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_test_of_many_cases_has_one_record(tmp_path: Path) -> None:
    """Each case that did not pass was journaled; the first of them stands for the step."""
    step = facts().steps[0]
    failed = replace(passed(step), outcome=Outcome.FAILED)

    def play(journal: Journal) -> None:
        for message in ("one", "two"):
            journal.ended(replace(failed, message=message))
        journal.ended(passed(step))

    record = recover(killed(tmp_path, play))
    assert [each.message for each in record.steps if each.id == step.id] == ["one"]
    assert not [fault for fault in own_plan_faults(record) if "records" in fault.detail]


def test_what_the_batch_does_outlives_the_run(tmp_path: Path) -> None:
    record = recover(killed(tmp_path, lambda journal: journal.measured(DOES)))
    whole = sample(batch=[DOES])
    assert (record.changes, record.batch) == (whole.changes, whole.batch)
    assert record.changes


def test_each_event_is_in_the_file_when_its_method_returns(tmp_path: Path) -> None:
    acts: tuple[Play, ...] = (
        lambda j: j.connected(TARGET),
        lambda j: j.began("precheck::server"),
        lambda j: j.ended(passed(facts().steps[0], findings=(NOTICE,))),
        lambda j: j.committing(1, "777"),
        lambda j: j.committed(1),
        lambda j: j.finished(RunOutcome.PROMOTED),
    )
    with start_journal(tmp_path, facts()) as written:
        for count, act in enumerate(acts, start=2):
            act(written)
            lines = written.path.read_text().splitlines()
            assert len(lines) == count
            assert all({"event", "at"} <= json.loads(line).keys() for line in lines)
        written.remove()
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("play", "segments", "outcome", "said"),
    [
        (nothing, 1, "rolled_back", "Nothing was committed"),
        (lambda j: j.began("precheck::server"), 1, "rolled_back", "during precheck::server"),
        (lambda j: j.committing(1, "777"), 1, "unknown", "pg_xact_status('777')"),
        (lambda j: j.committing(1, None), 1, "unknown", "outside of a transaction"),
        (lambda j: (j.committing(1, "7"), j.committed(1)), 1, "promoted_unproved", "was committed"),
        (lambda j: (j.committing(1, "7"), j.rolled_back(1)), 1, "rolled_back", "Nothing was"),
        (
            lambda j: (j.committing(1, "7"), j.rolled_back(1), j.committing(1, "8")),
            1,
            "unknown",
            "pg_xact_status('8')",
        ),
        (
            lambda j: (j.committing(1, "7"), j.committed(1)),
            3,
            "promoted_in_part",
            "Committed: segment 1 of 3; nothing else",
        ),
        (
            lambda j: (j.committing(1, "7"), j.committed(1), j.committing(2, "8")),
            2,
            "unknown",
            "Segments [1] are in",
        ),
        (
            lambda j: (j.committing(1, "7"), j.committed(1), j.committing(2, "8"), j.committed(2)),
            2,
            "promoted_unproved",
            "was committed",
        ),
        (lambda j: j.finished(RunOutcome.REFUSED, "no confirm"), 1, "refused", "no confirm"),
        (lambda j: j.finished(RunOutcome.NOTHING_TO_PROMOTE), 1, "nothing_to_promote", ""),
        (
            lambda j: (j.committing(1, "7"), j.committed(1), j.finished(RunOutcome.PROMOTED)),
            1,
            "promoted",
            "",
        ),
        (
            lambda j: (j.committing(1, "7"), j.finished(RunOutcome.UNKNOWN)),
            1,
            "unknown",
            "pg_xact_status('7')",
        ),
    ],
)
def test_the_recovered_audit_is_true(
    tmp_path: Path, play: Play, segments: int, outcome: str, said: str
) -> None:
    record = recover(killed(tmp_path, play, segments=segments))
    assert record.run.outcome == outcome
    # The run of these tests begins in a year that has not come: its clock has gone back since.
    assert record.run.finished_at >= record.run.started_at
    assert said in record.run.message
    assert record.run.message.startswith("The run ended without writing its record")
    assert digest(record) == record.chain.digest
    assert from_json(to_json(record)) == record


def test_what_was_recorded_is_kept_and_the_rest_is_skipped(tmp_path: Path) -> None:
    known = facts()

    def play(written: Journal) -> None:
        written.ended(passed(known.steps[0], findings=(NOTICE,), message="ä"))
        written.began(known.steps[1].id)

    record = recover(killed(tmp_path, play))
    assert [step.outcome for step in record.steps] == [Outcome.PASSED] + [Outcome.SKIPPED] * 3
    assert record.steps[0].message == "ä"
    assert record.findings[0].object == NOTICE.object
    assert record.target is not None
    assert record.target.system_identifier == TARGET.system_identifier
    assert (record.plan.digest, record.source.commit) == (known.digest, known.source.commit)
    assert f"during {known.steps[1].id}" in record.run.message


@pytest.mark.parametrize(
    ("looked", "outcome", "said"),
    [
        (None, RunOutcome.PROMOTED_UNPROVED, "is not recorded: --hk-mode=verify"),
        (Outcome.PASSED, RunOutcome.PROMOTED, "The batch was committed."),
        (Outcome.FAILED, RunOutcome.PROMOTED_UNPROVED, "is not right"),
    ],
)
def test_what_was_seen_behind_a_commit_counts(
    tmp_path: Path, looked: Outcome | None, outcome: RunOutcome, said: str
) -> None:
    def play(written: Journal) -> None:
        written.committing(1, "777")
        written.committed(1)
        if looked is not None:
            written.ended(passed(facts().steps[-1], outcome=looked))

    record = recover(killed(tmp_path, play))
    assert record.run.outcome is outcome
    assert said in record.run.message
    assert ("not recorded" in record.run.message) is (looked is None)


def test_the_locks_that_were_met_are_kept(tmp_path: Path) -> None:
    record = recover(killed(tmp_path, lambda j: j.conflicted(CONFLICT)))
    assert [each.in_the_way for each in record.lock_conflicts] == [CONFLICT.in_the_way]
    assert recover(killed(tmp_path, nothing)).lock_conflicts == ()


@pytest.mark.parametrize(
    ("promoted", "looked", "outcome", "segments"),
    [
        (None, None, RunOutcome.PROMOTED_UNPROVED, [1]),
        (Outcome.PASSED, None, RunOutcome.PROMOTED_UNPROVED, [1]),
        (Outcome.PASSED, Outcome.FAILED, RunOutcome.PROMOTED_UNPROVED, [1]),
        (Outcome.PASSED, Outcome.PASSED, RunOutcome.PROMOTED_IN_PART, [1]),
    ],
)
def test_the_step_behind_a_commit_says_what_was_seen(
    tmp_path: Path,
    promoted: Outcome | None,
    looked: Outcome | None,
    outcome: RunOutcome,
    segments: list[int],
) -> None:
    """Of two segments the first is in; the second is not, whatever became of the look."""
    known = facts(segments=2)
    first = replace(known.steps[-1], id="promote[1/2]", segment=1)
    (look,) = after_steps(1, 2)
    second = replace(known.steps[-1], id="promote[2/2]")
    known = replace(known, steps=(*known.steps[:-1], first, look, second, *after_steps(2, 2)))
    with start_journal(tmp_path, known) as written:
        written.committing(1, "777")
        written.committed(1)
        for step, ended in ((first, promoted), (look, looked)):
            if ended is not None:
                written.ended(passed(step, outcome=ended))
    record = recover(written.path)
    assert record.run.outcome is outcome
    assert committed_segments(record) == segments
    said = {step.id: step.outcome for step in record.steps}
    assert said["promote[1/2]"] is Outcome.PASSED
    assert said[look.id] is (looked or Outcome.FAILED)
    assert said["after::schema[2/2]"] is Outcome.SKIPPED
    # The clock of the samples is ahead of the journal's.
    assert own_plan_faults(record) == ()


def test_only_what_had_begun_and_not_ended_was_running(tmp_path: Path) -> None:
    first, second, *_ = facts().steps

    def over(written: Journal) -> None:
        written.began(first.id)
        written.ended(passed(first))

    def one_of_its_items(written: Journal) -> None:
        """A step of two items, of which the run knew no end, and then another step."""
        written.began(second.id)
        over(written)

    def at_the_end(written: Journal) -> None:
        written.began(first.id)
        written.finished(RunOutcome.ROLLED_BACK, "The run was interrupted.")

    for play in (nothing, over, one_of_its_items, at_the_end):
        assert "during" not in recover(killed(tmp_path, play)).run.message, play


def test_a_commit_that_was_answered_is_committed_and_not_yet_proved(tmp_path: Path) -> None:
    """Later runs read from the promote steps what production has."""

    def play(written: Journal) -> None:
        for step in facts(segments=2).steps[:2]:
            written.ended(passed(step))
        written.committing(2, "777")
        written.committed(2)

    record = recover(killed(tmp_path, play, segments=2))
    promote = record.steps[-1]
    assert (promote.kind, promote.outcome) == ("promote", Outcome.FAILED)
    assert promote.message.startswith("committed, as the journal says")
    assert committed_segments(record) == [promote.segment]
    open_ = recover(killed(tmp_path, lambda j: j.committing(1, "777")))
    assert open_.steps[-1].outcome is Outcome.SKIPPED


def test_at_every_byte_the_journal_is_torn_off_the_audit_stays_true(tmp_path: Path) -> None:
    def play(written: Journal) -> None:
        written.ended(passed(facts().steps[0]))
        written.committing(1, "777")
        written.committed(1)

    path = killed(tmp_path, play)
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    begun, answered = ends[-2], ends[-1]
    for cut in [*range(ends[0], ends[1], 7), *range(ends[1], len(whole) + 1)]:
        path.write_bytes(whole[:cut])
        outcome = recover(path).run.outcome
        # The line is whole one byte before its line feed.
        if cut >= answered - 1:
            assert outcome is RunOutcome.PROMOTED_UNPROVED
        elif cut >= begun - 1:
            assert outcome is RunOutcome.UNKNOWN
        else:
            assert outcome is RunOutcome.ROLLED_BACK


def test_damage_in_the_middle_makes_it_unknown(tmp_path: Path) -> None:
    path = killed(tmp_path, lambda j: j.ended(passed(facts().steps[0])))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\x00" * 80 + b"\n", *lines[1:]]))
    record = recover(path)
    assert record.run.outcome is RunOutcome.UNKNOWN
    assert "damaged" in record.run.message
    assert record.steps[0].outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b'{"event": "ended", "at": ""}\n', b"\xff"]
)
def test_a_file_that_is_no_journal_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prod_1.journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match="no beginning of a run") as caught:
        recover(path)
    assert str(path) in caught.value.found
    assert caught.value.fix


def test_a_live_run_is_no_leftover_and_a_dead_one_is(tmp_path: Path) -> None:
    assert leftovers(tmp_path / "none") == ()
    with start_journal(tmp_path, facts(run="live")) as live:
        dead = killed(tmp_path, nothing, mode=Mode.STAGING)
        assert leftovers(tmp_path) == (dead,)
        assert live.path.exists()
    assert leftovers(tmp_path) == (live.path, dead)


def test_a_child_that_outlives_its_run_does_not_keep_it_alive(tmp_path: Path) -> None:
    with start_journal(tmp_path, facts()) as written:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert leftovers(tmp_path) == (written.path,)
    finally:
        child.communicate(b"\n")


def test_after_sigkill_the_next_run_finds_the_truth(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from support.evidence_samples import facts, passed, TARGET\n"
        "from pytest_housekeeping.evidence.journal import start_journal\n"
        "j = start_journal(pathlib.Path(sys.argv[1]), facts())\n"
        "j.connected(TARGET); j.ended(passed(facts().steps[0])); j.committing(1, '777')\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        assert leftovers(tmp_path) == ()
        run.send_signal(signal.SIGKILL)
    (left,) = leftovers(tmp_path)
    record = recover(left)
    assert record.run.outcome is RunOutcome.UNKNOWN
    assert "777" in record.run.message


@pytest.mark.parametrize(("mode", "synced"), [(Mode.STAGING, False), (Mode.PROD, True)])
def test_what_is_said_of_a_commit_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, synced: bool
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    with start_journal(tmp_path, facts(mode)) as written:
        calls.clear()
        written.ended(passed(facts().steps[0]))
        assert not calls
        written.committing(1, "777")
        written.committed(1)
        assert len(calls) == (2 if synced else 0)


def test_a_full_disk_stops_the_run_and_spoils_no_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    written = start_journal(tmp_path, facts())
    kept = os.dup(written._descriptor)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, written._descriptor)
    os.close(full)
    with pytest.raises(EvidenceError, match="No space left") as caught:
        written.committing(1, "777")
    assert "make room" in caught.value.fix
    os.dup2(kept, written._descriptor)
    os.close(kept)
    written.committing(1, "778")
    written.close()
    assert "778" in recover(written.path).run.message


def test_a_line_cut_short_does_not_swallow_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = start_journal(tmp_path, facts())
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
        with pytest.raises(EvidenceError, match="no space left"):
            written.began("precheck::server")
    assert written.path.read_bytes().endswith(b"\n")
    written.committing(1, "777")
    written.close()
    assert "777" in recover(written.path).run.message


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EvidenceError, match="cannot be written"):
        start_journal(tmp_path / "file", facts())


def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    secrets = Secrets(['s3cr3t-pass-w0rd"'])
    with start_journal(tmp_path, facts(), secrets=secrets) as written:
        written.ended(passed(facts().steps[0], message='FATAL: s3cr3t-pass-w0rd"'))
        written.finished(RunOutcome.REFUSED, 's3cr3t-pass-w0rd"')
    assert not secrets.find(written.path.read_text())
    assert recover(written.path).steps[0].message == "FATAL: [secret]"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("committed", RunOutcome.PROMOTED_UNPROVED),
        ("aborted", RunOutcome.ROLLED_BACK),
        ("in progress", RunOutcome.UNKNOWN),
        (None, RunOutcome.UNKNOWN),
    ],
)
def test_the_server_that_was_to_commit_is_asked_for_its_answer(
    tmp_path: Path, answer: str | None, outcome: RunOutcome
) -> None:
    asked = []

    def ask(sent_to: SentTo, xid: str) -> str | None:
        asked.append((str(sent_to), xid))
        return answer

    left = killed(tmp_path, lambda j: j.committing(1, "777"))
    record = recover(left, ask=ask)
    assert record.run.outcome is outcome
    place = f"system identifier {TARGET.system_identifier}, database venture, timeline 3"
    assert asked == [(place, "777")]
    assert (f"({place}; no other one" in record.run.message) is (outcome is RunOutcome.UNKNOWN)


@pytest.mark.parametrize(
    ("differs", "may"),
    [
        ({}, True),
        ({"system_identifier": "7"}, False),
        ({"database": "other"}, False),
        ({"timeline": 4}, False),
        ({"timeline": None}, True),
        ({"host": "elsewhere", "port": 1, "user": "other"}, True),
    ],
)
def test_which_server_may_answer(tmp_path: Path, differs: dict[str, Any], may: bool) -> None:
    """A standby that was promoted has another timeline. An older journal does not know any."""
    target = replace(WHERE, **differs)
    asked = []

    def ask(sent_to: SentTo, _xid: str) -> str | None:
        asked.append(sent_to)
        return "committed" if sent_to.may_be(target) else None

    left = killed(tmp_path, lambda j: j.committing(1, "777"))
    expected = RunOutcome.PROMOTED_UNPROVED if may else RunOutcome.UNKNOWN
    assert recover(left, ask=ask).run.outcome is expected
    left.write_bytes(left.read_bytes().replace(b', "timeline": 3', b""))
    recover(left, ask=ask)
    assert [each.timeline for each in asked] == [3, None]
    assert asked[1].may_be(replace(WHERE, timeline=9))


def test_an_answer_that_comes_late_overrules_what_the_run_could_not_know(tmp_path: Path) -> None:
    def unknown(written: Journal) -> None:
        written.committing(1, "777")
        written.finished(RunOutcome.UNKNOWN, "The connection was lost.")

    record = recover(killed(tmp_path, unknown), ask=lambda *_: "committed")
    assert record.run.outcome is RunOutcome.PROMOTED_UNPROVED


def test_what_is_known_is_not_asked_for(tmp_path: Path) -> None:
    def ask(sent_to: SentTo, xid: str) -> str | None:
        raise AssertionError(f"{sent_to}, {xid}")

    def settled(written: Journal) -> None:
        written.committing(1, "777")
        written.rolled_back(1)

    assert recover(killed(tmp_path, settled), ask=ask).run.outcome is RunOutcome.ROLLED_BACK


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    for key in list(range(len(value))) if isinstance(value, list) else keys:
        yield (*here, key)
        yield from _places(value[key], (*here, key))


def _changed(lines: list[Any], place: tuple[Any, ...], value: object) -> list[Any]:
    """With another value there; None is none at all."""
    changed = within = copy.deepcopy(lines)
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    if value is None:
        del within[place[-1]]
    return changed


def test_whatever_stands_in_a_journal_is_an_audit_or_an_error_that_names_it(tmp_path: Path) -> None:
    """One of another version of the tool, or of nobody: a value is gone or of another type."""

    def play(journal: Journal) -> None:
        journal.ended(passed(facts().steps[0], findings=(NOTICE,)))
        journal.measured(replace(DOES, changes=DOES.changes[:1], locks=()))
        journal.conflicted(CONFLICT)
        journal.committing(1, "7")
        journal.committed(1)

    path = killed(tmp_path, play)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    outcomes: Counter[str] = Counter()
    # The values of one record stand for those of its like.
    for place in {place for place in _places(lines) if len(place) < 6}:
        for value in cast("tuple[object, ...]", (None, "x")):
            changed = _changed(lines, place, value)
            path.write_text("".join(json.dumps(line) + "\n" for line in changed))
            with suppress(EvidenceError):
                recover(path, ask=lambda *_: None)
                outcomes["an audit"] += 1
            outcomes["tried"] += 1
    assert outcomes["tried"] > 300
    assert 0 < outcomes["an audit"] < outcomes["tried"]
