"""One run of a project for the tests that leave it as it was, in a cache of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.databases.databases import Databases
from support.database_ground import databases_of, laid
from support.own_cache import own_cache


@pytest.fixture(scope="package", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache; what is kept in it is these tests' alone."""
    environment, place = own_cache(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        yield place


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="package")
def databases(project: Path) -> Iterator[Databases]:
    """Those of the only process of a run."""
    with databases_of(project) as found:
        yield found
