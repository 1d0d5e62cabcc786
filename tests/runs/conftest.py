"""A production that every test gets a copy of, and what is made of it once for many tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fault_campaign import Whole, undisturbed
from support.forked_runs import ForkedRuns, shared_runs
from support.postgres_service import GIVEN_WORD, left_as_found, postgres_service
from support.production_project import PLAIN, Production, Rehearsal, rehearsal
from support.rollback_project import STEM, promoted


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A production with a first promotion in it, and a second one that waits."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with rehearsal(shared, tmp_path_factory.mktemp("rehearsal")) as made:
        yield made


@pytest.fixture(scope="session")
def promoted_run(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The second promotion done, with the files that undo it; the id of its run."""
    return promoted(rehearsed, tmp_path_factory.mktemp("promoted"))


@pytest.fixture
def production(request: pytest.FixtureRequest, rehearsed: Rehearsal, tmp_path: Path) -> Production:
    """A copy of it for one test: project, remote and database. Where a module says
    ``OF_SOMETHING_ELSE``, without its rules of row-level security."""
    if getattr(request.module, "OF_SOMETHING_ELSE", False):
        return rehearsed.fresh(tmp_path, stem=PLAIN)
    return rehearsed.fresh(tmp_path)


@pytest.fixture(scope="session")
def given_port() -> Iterator[int]:
    """A server that asks for a password."""
    with postgres_service(GIVEN_WORD[0]) as port:
        yield port


@pytest.fixture
def given_url(given_port: int) -> Iterator[str]:
    """Its superuser's URL; what a run leaves there fails the test."""
    url = f"postgresql://postgres:{GIVEN_WORD[1]}@127.0.0.1:{given_port}/postgres"
    with left_as_found(url):
        yield url


@pytest.fixture(scope="session", autouse=True)
def runs() -> Iterator[ForkedRuns]:
    """Runs of pytest in forks of one process."""
    with shared_runs() as forked:
        yield forked


@pytest.fixture(scope="session")
def undoing(
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    promoted_run: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Whole:
    """The traffic of a rollback to which nothing happens."""
    return undisturbed(rehearsed, runs, tmp_path_factory.mktemp("undoing"), STEM, promoted_run)
