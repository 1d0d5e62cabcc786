"""A primary with a standby and a copy: three servers of one system identifier."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.postgres_service import Service, serve, service


@dataclass(frozen=True, kw_only=True)
class Family:
    """The ports of the servers; the superuser of each has the same password."""

    primary: int
    standby: int
    copy: int


@contextmanager
def server_family(password: str, *options: str) -> Iterator[Family]:
    """The copy was taken as the standby was, and started by itself. All are gone afterwards.

    Each is started with the ``options``: a standby may not have less room than its primary.
    """
    with ExitStack() as stack:
        primary = stack.enter_context(service(password, *options))
        standby = _taken(primary, "standby", password, "-R")
        copy = _taken(primary, "copy", password)
        yield Family(
            primary=primary.port,
            standby=stack.enter_context(_beside(primary, standby, options)).port,
            copy=stack.enter_context(_beside(primary, copy, options)).port,
        )


def _beside(
    primary: Service, data: Path, options: Sequence[str]
) -> AbstractContextManager[Service]:
    return serve(primary.folder, primary.binaries, primary.user, data, *options)


def _taken(primary: Service, name: str, password: str, *options: str) -> Path:
    target = primary.folder / name
    target.mkdir(mode=0o700)
    if primary.user is not None:
        entry = pwd.getpwnam(primary.user)
        os.chown(target, entry.pw_uid, entry.pw_gid)
    address = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
    subprocess.run(
        [primary.binaries / "pg_basebackup", "-D", target, *address, "--checkpoint=fast", *options],
        user=primary.user,
        cwd=primary.folder,
        env={"PGPASSWORD": password},
        check=True,
        capture_output=True,
    )
    return target
