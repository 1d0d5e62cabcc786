"""A physical clone of a server that runs: the same identifier, roles and rows, on another port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_housekeeping.server.embedded import find_embedded
from pytest_housekeeping.server.run_folder import storages
from support.postgres_service import serve


@contextmanager
def clone_server(port: int, superuser_password: str) -> Iterator[int]:
    """The port of a server that was taken from the one of ``port`` and writes by itself."""
    folder = Path(tempfile.mkdtemp(prefix="hk-clone-", dir=next(storages())))
    user = "nobody" if os.geteuid() == 0 else None
    binaries = find_embedded(16).folder
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    data = folder / "data"
    try:
        subprocess.run(
            [
                *(binaries / "pg_basebackup", "-D", data, "--checkpoint=fast", "--no-sync"),
                *("-h", "127.0.0.1", "-p", str(port), "-U", "postgres"),
            ],
            user=user,
            cwd=folder,
            env={"PGPASSWORD": superuser_password},
            check=True,
            capture_output=True,
        )
        with serve(folder, binaries, user, data) as found:
            yield found.port
    finally:
        shutil.rmtree(folder)
