"""What the newest files of a history break of sqlfluff's rules: the style that a team writes in."""

from __future__ import annotations

from contextlib import suppress

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.plan.given_past import given_past
from pytest_housekeeping.promotion.init.project_text import LARGE
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles

# Hundreds of files take minutes, and the oldest tell least of how files are written today.
_NEWEST = 10


def broken_in_history(config: Config) -> frozenset[str]:
    """The codes of the rules; of a file that sqlfluff cannot examine, none."""
    sources = ProjectFiles(config.root)
    # These come again with every batch, as they are.
    again = {entry.path for entry in listing(config, sources).entries if entry.every}
    paths = dict.fromkeys(on_disk(each.path) for each in given_past(config, sources))
    small = [path for path in paths if (config.root / path).stat().st_size <= LARGE]
    newest = [path for path in small if path not in again][-_NEWEST:]
    places = [config.root / path for path in small if path in again or path in newest]
    linting = Linting.start(places, root=config.root)
    found = set[str]()
    try:
        for place in places:
            with suppress(HousekeepingError):
                found |= {each.code for each in linting.result(place)}
    finally:
        linting.stop()
    return frozenset(found)
