"""Thirty dangerous batches are found by name, and thirty that only look it raise no alarm."""

from __future__ import annotations

import pytest

from pytest_housekeeping.model import Level
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from support.change_statements import DANGEROUS, HARMLESS, Case
from support.changes_ground import Standing, judged


def test_there_are_sixty() -> None:
    assert (len(DANGEROUS), len(HARMLESS)) == (30, 30)
    assert len({case.files for case in (*DANGEROUS, *HARMLESS)}) == 60


@pytest.mark.parametrize("case", DANGEROUS, ids=lambda case: case.title)
def test_a_dangerous_batch_is_found(standing: Standing, stood: Fingerprint, case: Case) -> None:
    """By its name, and by no other one than those that are told of it as well."""
    alarms = {
        each.rule
        for each in judged(standing.batch, case.files, stood=stood, reader=standing.reader)
        if each.level is not Level.NOTICE
    }
    assert alarms == {case.rule, *case.also}


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.title)
def test_a_harmless_batch_raises_no_alarm(
    standing: Standing, stood: Fingerprint, case: Case
) -> None:
    assert not [
        each
        for each in judged(standing.batch, case.files, stood=stood, reader=standing.reader)
        if each.level is not Level.NOTICE
    ]
