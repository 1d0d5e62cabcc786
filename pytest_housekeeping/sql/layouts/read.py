"""A file of a project as its layout reads it: what runs, and what was taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.enclosing import with_no_transaction_of_its_own
from pytest_housekeeping.sql.layouts.known import OWN, layout_of
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing, Reading
from pytest_housekeeping.sql.layouts.parts import in_one_transaction, with_part
from pytest_housekeeping.sql.layouts.psql import as_psql_would, without_restrict
from pytest_housekeeping.sql.layouts.undone import undone_by
from pytest_housekeeping.sql.parse import SyntaxRefused
from pytest_housekeeping.sql.path_names import on_disk, whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode


def listing(config: Config, files: ProjectFiles) -> Listing:
    """The files of a project that its tool would read; what the settings say is not undone has no
    way back."""
    return files.once("listing", config, lambda: _listing(config, files))


def as_recorded(config: Config, files: ProjectFiles, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Files of a project, each under the name that the tool's own table has of it."""
    recorded = layout_of(config).recorded
    if recorded is None:
        return entries
    names = recorded(Ground(config=config, files=files))
    return [replace(entry, version=names[entry.path]) for entry in entries]


def reading(config: Config, files: ProjectFiles, path: str, data: bytes) -> Reading:
    """What of the bytes of a file runs. Raises SqlFileError for what is no text."""
    whole = whole_of(path)
    found = _reading(config, files, whole, data)
    try:
        if layout_of(config).name != OWN and undone_by(whole) != whole:
            return in_one_transaction(found)
        return with_part(found, path)
    except SyntaxRefused:
        return found  # told where the file is looked at


def _listing(config: Config, files: ProjectFiles) -> Listing:
    found = layout_of(config).listing(Ground(config=config, files=files))
    kept = [
        entry
        for entry in found.entries
        if entry.kind is not Kind.ROLLBACK or entry.undoes not in config.irreversible
    ]
    return replace(found, entries=tuple(kept))


def _reading(config: Config, files: ProjectFiles, path: str, data: bytes) -> Reading:
    text = decode(data, on_disk(path))
    layout, ground = layout_of(config), Ground(config=config, files=files)
    found = layout.reading(ground, path, text) if _is_of_tool(config, path) else Reading(text=text)
    if layout.psql_home is not None:
        home = layout.psql_home(ground)
        woven = as_psql_would(ground, path, found.text, home=home)
        if found.problems or found.outside:
            problems = (*found.problems, *woven.problems)
            woven = replace(woven, problems=problems, outside=found.outside)
        found = woven
    elif (plain := without_restrict(found.text)) != found.text:
        found = replace(found, text=plain)
    return with_no_transaction_of_its_own(found)


def text_of(config: Config, files: ProjectFiles, path: str) -> str:
    """The text of a file as it runs. Raises SqlFileError for what is no text, OSError where it
    cannot be read."""
    return reading(config, files, path, files.read(path)).text


def _is_of_tool(config: Config, path: str) -> bool:
    """Whether a file is the tool's, and not one of ``sql/views/`` or another folder beside it."""
    if (config.layout or OWN) == OWN:
        return True
    own = [f"{config.sql}/{name}/" for name in ("bootstrap", "views", "policies", "seeds")]
    return not path.startswith(tuple(own))
