"""The account that runs PostgreSQL, what it may reach, and the folder kept between runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Who runs PostgreSQL. It refuses to run as root, so root hands it to ``nobody``."""

    uid: int
    gid: int

    def switch(self) -> dict[str, Any]:
        """What ``subprocess`` needs in order to run a program as this account."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    @property
    def new_owner(self) -> tuple[int, ...]:
        """Whose a file has to become that is made for it; nobody's where it is made by itself."""
        return (self.uid, self.gid) if os.geteuid() != self.uid else ()

    def give(self, path: Path) -> None:
        if owner := self.new_owner:
            os.chown(path, *owner)

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter every folder down to `path`, as the mode bits say."""
        if os.geteuid() == self.uid:
            return True
        path = path.resolve()
        return all(_enterable(folder.stat(), self) for folder in (path, *path.parents))


def server_account() -> Account:
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(uid=65534, gid=65534)
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def run(
    command: list[str], account: Account, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL as `account`. Raises `OSError` when it cannot be run at all."""
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env=bare_environment(),
        **account.switch(),
    )


def cache_folder(*, for_account: Account | None = None) -> Path:
    """The user's cache folder, or its stand-in where that cannot be written.

    With `for_account`, one that the account may enter. Never a folder that somebody else owns or
    may write to.
    """
    import platformdirs

    tried = []
    candidates: tuple[Path, ...] = (
        Path(platformdirs.user_cache_path("pytest-housekeeping")),
        *((Path("/var/cache/pytest-housekeeping"),) if os.geteuid() == 0 else ()),
        Path(tempfile.gettempdir()) / f"pytest-housekeeping-{os.geteuid()}",
    )
    for path in candidates:
        tried.append(str(path))
        if own_folder(path, 0o755 if for_account else 0o700) and (
            for_account is None or for_account.reaches(path)
        ):
            return path
    raise ServerError(
        f"no folder to keep the server's files in; tried {', '.join(tried)}",
        why="the ready-made data folder is kept between runs, in a folder that is yours alone",
        fix="make one of them writable, or set XDG_CACHE_HOME or TMPDIR to a folder that is",
    )


def _enterable(stat: os.stat_result, account: Account) -> bool:
    if stat.st_uid == account.uid:
        return bool(stat.st_mode & 0o100)
    if stat.st_gid == account.gid:
        return bool(stat.st_mode & 0o010)
    return bool(stat.st_mode & 0o001)


def own_folder(path: Path, mode: int) -> bool:
    """Whether `path` is a folder of this user's that nobody else may write to; made if missing."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        stat = path.lstat()
    except OSError:
        return False
    mine = stat.st_uid == os.geteuid() and path.is_dir() and not path.is_symlink()
    return mine and not stat.st_mode & 0o022 and os.access(path, os.W_OK | os.X_OK)


def is_ours(path: Path) -> bool:
    """Whether it is a file that this user has made and nobody else may change.

    Raises `FileNotFoundError` where there is none.
    """
    status = path.lstat()
    mine = status.st_uid == os.geteuid() and S_ISREG(status.st_mode)
    return mine and not status.st_mode & 0o022
