"""What the newest files of a history break of sqlfluff's rules: the style that a team writes in."""

from __future__ import annotations

from contextlib import suppress

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.plan.given_past import given_past
from pytest_housekeeping.promotion.init.project_text import LARGE
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles

# Hundreds of files take minutes, and the oldest tell least of how files are written today.
_NEWEST = 10


def broken_in_history(config: Config) -> frozenset[str]:
    """The codes of the rules; of a file that sqlfluff cannot examine, none."""
    paths = dict.fromkeys(
        on_disk(each.path) for each in given_past(config, ProjectFiles(config.root))
    )
    places = [config.root / path for path in paths]
    newest = [place for place in places if place.stat().st_size <= LARGE][-_NEWEST:]
    linting = Linting.start(newest, root=config.root)
    found = set[str]()
    try:
        for place in newest:
            with suppress(HousekeepingError):
                found |= {each.code for each in linting.result(place)}
    finally:
        linting.stop()
    return frozenset(found)
