"""``python -m pytest_housekeeping init``: a team's own files, taken in as they are."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import SETTINGS, load_config
from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.promotion.init.chosen_settings import (
    further_settings,
    with_search_path,
    with_superuser,
)
from pytest_housekeeping.promotion.init.ci import ci_of
from pytest_housekeeping.promotion.init.contracts_text import (
    Access,
    boundaries_toml,
    read_access,
)
from pytest_housekeeping.promotion.init.from_production import (
    InProduction,
    applied_version,
    read_production,
    reading_production,
)
from pytest_housekeeping.promotion.init.green import until_green
from pytest_housekeeping.promotion.init.made_schema import bootstrap_file, made_schema
from pytest_housekeeping.promotion.init.needed import Needed
from pytest_housekeeping.promotion.init.objects_text import objects_text, read_declared
from pytest_housekeeping.promotion.init.project_text import (
    checks_folder,
    with_ignored,
    with_settings,
)
from pytest_housekeeping.promotion.init.written import Written, kept_or_written
from pytest_housekeeping.sql.platforms import platform_making
from pytest_housekeeping.sql.project_files import ProjectFiles

_BOOTSTRAP_HEAD = """\
-- What the real server has already, for no migration makes it. It runs in staging alone, as
-- superuser. Give each role the attributes that it has there.
"""


def init(
    root: Path,
    *,
    platform: str | None = None,
    ci: str | None = None,
    from_production: bool = False,
) -> Iterator[str]:
    """Write what a project lacks until staging is green, and nothing over what is there.

    ``platform`` names what its server has from the beginning; of Supabase's layout it is known.
    ``ci`` names whose workflows are written, where the repository does not tell. With
    ``from_production`` what is declared is what production has as well. Yields what is told.

    Raises MisuseError for a project without SQL files, SqlFailed for files that do not run,
    ProofFailed where something stays red that only the team can decide.
    """
    written, settings = Written(root=root), with_settings(root)
    load_config(root, folders=("sql",))
    if written.replace(SETTINGS, settings):
        yield f"written: {SETTINGS}: [tool.housekeeping]"
    # The settings ask for it, and it is what is going to be filled.
    (root / checks_folder(root)).mkdir(parents=True, exist_ok=True)
    applied, major = _asked(load_config(root)) if from_production else (None, 0)
    for text, why in further_settings(root, platform, applied=applied, major=major):
        written.replace(SETTINGS, text)
        yield f"written: {SETTINGS}: {why}"
    config = load_config(root)
    if written.replace(".gitignore", with_ignored(root, config.audit, Path(sys.prefix))):
        yield "written: .gitignore: what a run leaves"
    access, needed = yield from _declared(config, written, from_production=from_production)
    if needed.search_path:
        text = (root / SETTINGS).read_text(encoding="utf-8")
        written.replace(SETTINGS, with_search_path(text, needed.search_path))
        config = load_config(root)
        yield f"written: {SETTINGS}: search_path = {needed.search_path!r}, which the files count on"
    if needed.superuser:
        text = (root / SETTINGS).read_text(encoding="utf-8")
        written.replace(SETTINGS, with_superuser(text, needed.superuser))
        config = load_config(root)
        files = named(needed.superuser, 3)
        yield f"written: {SETTINGS}: as_superuser: a superuser alone could run {files}"
    yield from _for_ci(config, written, ci)
    yield from until_green(config, written, access)
    yield f"next: look at the files, commit them, and run: pytest --hk-mode=staging{_hint(needed)}"


def _hint(needed: Needed) -> str:
    return (
        ""
        if not needed.roles or needed.attributes
        else "; give the roles of the bootstrap file their attributes"
    )


def _for_ci(config: Config, written: Written, ci: str | None) -> Iterator[str]:
    """The workflows; what else is needed for them stands in docs/ci.md."""
    made, why = ci_of(config, ci)
    if why:
        yield f"not written: workflows: {why}"
    new = []
    for path, text in made.items():
        new += [path] if written.add(path, text) else []
        yield f"written: {path}" if path in new else f"kept as it is: {path}"
    if new:
        yield "for the workflows: python -m pytest_housekeeping docs ci says what they need"


def _asked(config: Config) -> tuple[str, int]:
    """The last version that production has, and the major version of its server."""
    with reading_production(config) as connection:
        version = applied_version(connection, config, ProjectFiles(config.root))
        return version, connection.info.server_version // 10000


def _declared(
    config: Config, written: Written, *, from_production: bool
) -> Generator[str, None, tuple[Access, Needed]]:
    """What the schema of the files says of itself, written down."""
    with made_schema(config, ProjectFiles(config.root)) as made:
        yield f"applied: {plural(made.files, 'file')}, to a throwaway PostgreSQL"
        connection = made.connection
        schemas = made.schemas
        roles = made.own_roles(config.migrator)
        connection.execute("BEGIN")
        declared = read_declared(connection, schemas, roles)
        access = read_access(connection, schemas, roles)
        connection.execute("ROLLBACK")
    needed = made.needed
    if from_production:
        with reading_production(config) as production:
            found = read_production(
                production,
                config,
                schemas=schemas,
                others=made.others,
                roles=roles,
                made=declared,
            )
        yield from _told_of_production(found)
        # The tool's own table there makes no schema of the project an inhabited one.
        declared, access = found.declared, replace(found.access, inhabited=access.inhabited)
        needed = replace(needed, attributes=found.attributes)
    bootstrap = needed.bootstrap(config.migrator)
    path = bootstrap_file(config)
    if bootstrap and written.add(path, _BOOTSTRAP_HEAD + bootstrap):
        named = ", ".join(needed.names)
        yield f"written: {path}: {named}, which no file makes"
        if not config.platform and (platform := platform_making(needed.names)):
            yield f"  {platform}'s servers have such: where production is one, delete what was"
            yield f"  written and run: python -m pytest_housekeeping init --platform={platform}"
    yield from kept_or_written(written, f"{config.checks}/objects.toml", objects_text(declared))
    boundaries = boundaries_toml(access)
    if boundaries:
        yield from kept_or_written(written, f"{config.checks}/boundaries.toml", boundaries)
    else:
        yield "not written: boundaries.toml: the grants show no border between applications"
    return access, needed


def _told_of_production(found: InProduction) -> Iterator[str]:
    yield "read: production; nothing was written there"
    for said, names in (
        ("in production, and made by no file", found.alone),
        ("made by the files, and not in production", found.lacking),
        ("roles that reach something in production, and that no file names", found.strangers),
    ):
        if names:
            yield f"{said}: {len(names)}"
            yield from (f"  {name}" for name in names)
