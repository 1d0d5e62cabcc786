"""Which server has an extension."""

from __future__ import annotations

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import share_folder
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.system import find_system

_GIVEN = {"given": "--hk-staging-url", "twin": "--hk-twin-server"}


def extension_advice(name: str, *, kind: str = "embedded", version: int = 16) -> str:
    """Which server would have the extension `name`, when that of `kind` has not.

    `kind` is "embedded", "system", or "given" for a server named by ``--hk-staging-url``, "twin"
    for one of ``--hk-twin-server``.
    """
    if kind in _GIVEN:
        return f"install {name} on the server that {_GIVEN[kind]} names"
    has = ", ".join(_extensions(kind, version)) or "none"
    advice = f"the {kind} server has these extensions: {has}; "
    if kind != "system" and name in _extensions("system", version):
        system = find_system()
        return advice + (
            f'set `server = "system"` in [tool.housekeeping]: PostgreSQL {system.version} '
            f"in {system.folder} has {name}"
        )
    return advice + (
        f"no PostgreSQL on this machine has {name}: give a server that has it with "
        "`--hk-staging-url=postgresql://...`, or install it (contrib, say) for the PostgreSQL "
        'of this machine and set `server = "system"` in [tool.housekeeping]'
    )


def _extensions(kind: str, version: int) -> tuple[str, ...]:
    try:
        share = share_folder(find_programs(kind, version))
    except ServerError:
        return ()
    found = (share / "extension").glob("*.control") if share else ()
    return tuple(sorted(path.stem for path in found))
