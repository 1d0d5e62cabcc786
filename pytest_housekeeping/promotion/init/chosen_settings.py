"""Settings that `init` adds: the platform, and what the extensions of the files ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import SETTINGS, load_config, settings_in
from pytest_housekeeping.declarations.stubs import SHIPPED, shipped_names
from pytest_housekeeping.declarations.toml import toml_key, toml_string
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.promotion.init.needed_version import needed_version
from pytest_housekeeping.server.embedded import EMBEDDED, is_installed
from pytest_housekeeping.server.extensions import available_extensions, untrusted_extensions
from pytest_housekeeping.sql.folder import BOOTSTRAP
from pytest_housekeeping.sql.layouts.known import OWN, layout_of
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.named_extensions import named_extensions, plainly_made
from pytest_housekeeping.sql.platforms import SUPABASE, platform_of
from pytest_housekeeping.sql.project_files import ProjectFiles

_SESSION = re.compile(r"^\[tool\.housekeeping\.session\][ \t]*(?:#.*)?$", re.MULTILINE)
_SUPERUSER = re.compile(r"^\[tool\.housekeeping\.as_superuser\][ \t]*(?:#.*)?$", re.MULTILINE)
_HEADER = re.compile(r"^\[tool\.housekeeping\][ \t]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is to stand in the settings besides, and for the sake of which extensions, or of which
    ``setting`` that a file names. ``trusted`` are those that a file makes as the role that it runs
    as, which a superuser alone may on that server."""

    version: int | None = None
    extensions: tuple[str, ...] = ()
    setting: str = ""
    stubs: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


def chosen_for(config: Config, files: ProjectFiles, major: int = 0) -> Chosen:
    """What the files ask for that the embedded server does not have: extensions, a setting.

    Of those that have as much, the one of ``major`` before others. A server of the package alone:
    which one of the machine, or of somebody, nobody can choose.
    """
    if config.server != "embedded" or os.environ.get("HK_STAGING_URL"):
        return Chosen()
    named = named_extensions(config, files)
    named |= platform_of(config.platform).extensions
    lacking = {
        version: named - available_extensions("embedded", version, config.stubs)
        for version in dict.fromkeys((major, config.server_version, *EMBEDDED))
        if version in EMBEDDED and is_installed(EMBEDDED[version])
    }
    if not lacking:
        return Chosen()
    oldest, setting = needed_version(config, files)
    best = min(lacking, key=lambda version: (version < oldest, len(lacking[version])))
    here = lacking.get(config.server_version, frozenset())
    return Chosen(
        version=best if best != config.server_version else None,
        extensions=tuple(sorted(here - lacking[best])),
        setting=setting if config.server_version < oldest <= best else "",
        stubs=tuple(sorted(lacking[best].intersection(shipped_names()))),
        trusted=tuple(
            sorted(plainly_made(config, files) & untrusted_extensions(best))
            if not config.platform
            else ()
        ),
    )


def further_settings(
    root: Path, platform: str | None, *, applied: str | None, major: int
) -> Iterator[tuple[str, str]]:
    """The text of pyproject.toml with what the project needs besides, and what that is.

    ``applied`` is the last version that production has, and ``major`` its version, where it was
    asked. What it says already stays. Raises MisuseError where it cannot be added to by a line.
    """
    place, config = root / SETTINGS, load_config(root)
    platform = platform or (SUPABASE if config.layout == SUPABASE else None)
    own = f"{config.sql}/{BOOTSTRAP}/{platform}.sql"
    if platform and not config.platform and not (root / own).is_file():
        text = place.read_text(encoding="utf-8")
        yield (
            _with_line(text, f"platform = {toml_string(platform)}"),
            f"platform = {toml_string(platform)}: what that server has from the beginning",
        )
    last = _last_version(config, ProjectFiles(root)) if applied is None else applied
    if last and not config.baseline:
        line = f"baseline = {toml_string(last)}"
        text = _with_line(place.read_text(encoding="utf-8"), line)
        yield text, f"{line}: production has what its tool has applied, up to here"
    chosen = chosen_for(load_config(root), ProjectFiles(root), major)
    text = place.read_text(encoding="utf-8")
    said = settings_in(text.encode()) or {}
    if chosen.version and "server_version" not in said:
        line = f"server_version = {chosen.version}"
        text = _with_line(text, line)
        has = f"it has {', '.join(chosen.extensions)}" if chosen.extensions else ""
        knows = f"it knows {chosen.setting}" if chosen.setting else ""
        yield text, f"{line}: {' and '.join(filter(None, (has, knows))) or 'as production'}"
    if chosen.trusted and "trusted_extensions" not in said:
        line = f"trusted_extensions = [{', '.join(map(toml_string, chosen.trusted))}]"
        text = _with_line(text, line)
        yield text, f"{line}: the files make them by themselves, so production's role may"
    if chosen.stubs and "stubs" not in said:
        yield (
            _with_stubs(text, chosen.stubs),
            f"stubs of {', '.join(chosen.stubs)}, which that server lacks",
        )


def _last_version(config: Config, files: ProjectFiles) -> str:
    """Of another tool's migrations; "" for files of this one's own."""
    if layout_of(config).name == OWN:
        return ""
    found = listing(config, files).of(Kind.MIGRATION)
    return found[-1].version if found else ""


def _with_line(text: str, line: str) -> str:
    """With a line at the head of [tool.housekeeping]."""
    found = _HEADER.search(text)
    if found is None:
        raise MisuseError(
            f"{SETTINGS} has no line [tool.housekeeping] to write {line} behind",
            why="what the project needs stands in its settings",
            fix=f"write it there: {line}; and run init again",
        )
    return f"{text[: found.end()]}\n{line}{text[found.end() :]}"


def with_search_path(text: str, path: str) -> str:
    """The text of pyproject.toml with the search_path that the files count on."""
    line = f"search_path = {toml_string(path)}"
    found = _SESSION.search(text)
    if found is None:
        return f"{text.rstrip(chr(10))}\n\n[tool.housekeeping.session]\n{line}\n"
    return f"{text[: found.end()]}\n{line}{text[found.end() :]}"


def with_superuser(text: str, paths: tuple[str, ...]) -> str:
    """The text of pyproject.toml with the files of history that a superuser has run."""
    why = toml_string("a superuser alone may do what it does")
    lines = "".join(f"\n{toml_key(path)} = {why}" for path in paths)
    found = _SUPERUSER.search(text)
    if found is None:
        return f"{text.rstrip(chr(10))}\n\n[tool.housekeeping.as_superuser]{lines}\n"
    return f"{text[: found.end()]}{lines}{text[found.end() :]}"


def _with_stubs(text: str, names: tuple[str, ...]) -> str:
    lines = "".join(f"{toml_key(name)} = {toml_string(SHIPPED)}\n" for name in names)
    return f"{text.rstrip(chr(10))}\n\n[tool.housekeeping.stubs]\n{lines}"
