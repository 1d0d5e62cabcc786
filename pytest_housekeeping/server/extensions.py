"""Which server has an extension."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pytest_housekeeping.config import Stub
from pytest_housekeeping.declarations.stubs import shipped_names
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import share_folder
from pytest_housekeeping.server.embedded import EMBEDDED, is_installed
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.stubs import untrusted
from pytest_housekeeping.server.system import find_system

_GIVEN = {"given": "--hk-staging-url", "twin": "--hk-twin-server"}
# What of contrib the wheel of PostgreSQL 17 holds, for a machine where it is not installed.
_NAMES = """
amcheck bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance
file_fdw fuzzystrmatch hstore intarray isn lo ltree moddatetime pg_buffercache
pg_stat_statements pg_trgm pgcrypto pgrowlocks pgstattuple postgres_fdw refint seg sslinfo
tablefunc tcn tsm_system_rows tsm_system_time unaccent
"""
CONTRIB = frozenset(_NAMES.split())


def extension_advice(missing: Collection[str], *, kind: str = "embedded", version: int = 16) -> str:
    """Which servers have each of the extensions, that one of `kind` has not.

    `kind` is "embedded", "system", or "given" for a server named by ``--hk-staging-url``, "twin"
    for one of ``--hk-twin-server``.
    """
    names = sorted(missing)
    if kind in _GIVEN:
        return f"install {', '.join(names)} on the server that {_GIVEN[kind]} names"
    # What stands on the embedded servers alone.
    there = 'server = "embedded" and ' if kind == "system" else ""
    servers = {
        (there if of[0] == "embedded" else "") + said: has
        for said, of, has in _servers()
        if of != (kind, version)
    }
    lines = [f"{name}: {_who_has(name, servers, there)}" for name in names]
    all_of_them = [said for said, has in servers.items() if has.issuperset(names)]
    if len(names) > 1 and all_of_them:
        lines.append(f"all of them: {all_of_them[0]}")
    elsewhere = "a server that has what is lacking, of --hk-staging-url=postgresql://..., for init"
    elsewhere += " of HK_STAGING_URL"
    return "in [tool.housekeeping], or " + elsewhere + "".join(f"\n    {line}" for line in lines)


def available_extensions(kind: str, version: int, stubs: tuple[Stub, ...] = ()) -> frozenset[str]:
    """Those that a server of this machine has, ``stubs`` among them; none where there is no such
    server."""
    try:
        share = share_folder(find_programs(kind, version, stubs))
    except ServerError:
        return frozenset()
    found = (share / "extension").glob("*.control") if share else ()
    return frozenset(path.stem for path in found)


def untrusted_extensions(version: int) -> frozenset[str]:
    """Those of an embedded server that a superuser alone may make."""
    try:
        share = share_folder(find_programs("embedded", version))
    except ServerError:
        return frozenset()
    return untrusted(share / "extension") if share else frozenset()


def _who_has(name: str, servers: dict[str, frozenset[str]], there: str) -> str:
    ways = [said for said, has in servers.items() if name in has]
    has_stub = name in shipped_names()
    uses = f'a stub that declares what the files use of it, stubs.{name}.functions = ["..."]'
    stub = there + (f'stubs.{name} = "shipped"' if has_stub else uses)
    if not ways:
        package = (
            'server = "system" once the package of it for this machine\'s PostgreSQL is installed'
        )
        return f"no PostgreSQL of this machine or of a wheel has it; {stub}; or {package}"
    return ", or ".join((*ways, stub) if has_stub else ways)


def _servers() -> Iterator[tuple[str, tuple[str, int], frozenset[str]]]:
    """What one writes to have a server, which one it is, and what it has."""
    for version, wheel in EMBEDDED.items():
        said = f"server_version = {version}"
        if is_installed(wheel):
            yield said, ("embedded", version), available_extensions("embedded", version)
        elif wheel.zones:
            yield f"{said} with {wheel.install}", ("embedded", version), CONTRIB
    try:
        system = find_system()
    except ServerError:
        return
    said = f'server = "system" (PostgreSQL {system.version} in {system.folder})'
    yield said, ("system", system.version), available_extensions("system", system.version)
