"""The code of all applications, read before the transaction begins."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.checks.code.readers.extract import Extraction, extract
from pytest_housekeeping.declarations.boundaries import Boundaries


def read_code(
    root: Path, boundaries: Boundaries, *, cache_folder: Path | None = None
) -> dict[str, Extraction]:
    """What the code of every application names. Needs no database: do it before BEGIN."""
    return {
        app.name: extract(root, app.code, cache_folder=cache_folder)
        for app in boundaries.apps
        if app.code
    }
