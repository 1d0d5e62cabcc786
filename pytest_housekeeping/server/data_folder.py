"""The ready-made data folder: made once per build of PostgreSQL, kept as one file."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import WAYS_OUT, Programs, does_not_run
from pytest_housekeeping.server.os_account import Account, cache_folder, is_ours, run
from pytest_housekeeping.server.packed_folder import HALF_MADE, lay, pack

SUPERUSER = "postgres"
MAINTENANCE = "template1"
CONNECTIONS = 20

_FORMAT = 4
_MONTH_S = 30 * 24 * 3600
_SETTINGS = f"""\
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = {CONNECTIONS}
max_worker_processes = 0
max_logical_replication_workers = 0
autovacuum = off
autovacuum_max_workers = 1
shared_buffers = 64MB
# Files in the data folder, so that a killed server leaves no segment behind.
dynamic_shared_memory_type = mmap
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
wal_init_zero = off
wal_recycle = off
min_wal_size = 2MB
max_wal_size = 64MB
bgwriter_lru_maxpages = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_checkpoints = off
log_line_prefix = '%m [%p] %e %d '
"""
_SETTINGS_18 = "io_method = sync\n"
_LOCALES = (
    Path("/usr/lib/locale"),
    Path("/usr/lib/locale/locale-archive"),
    Path("/usr/share/locale"),
)
# One database is enough: CREATE DATABASE copies template1, and may run from within it.
_STRIP = """\
UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = 'template0';
DROP DATABASE template0;
DROP DATABASE postgres;
VACUUM FREEZE;
CHECKPOINT;
"""


def lay_data_folder(
    target: Path, programs: Programs, account: Account
) -> Generator[dict[str, str], None, None]:
    """Lay a data folder for `programs` at `target`, owned by `account`, in two steps.

    After the first, ``postgres`` can be started on it; after the second, it can be connected to.

    The first time for a build of PostgreSQL the folder is made with ``initdb`` (beside `target`)
    and kept in the user's cache, if there is room; so is what somebody else can write to, or has a
    byte that was not written there. Superuser `SUPERUSER`, trusted over the socket alone; locale
    C.UTF-8, encoding UTF8. Raises `ServerError` when ``initdb`` fails, `OSError` without room.
    """
    image = image_path(programs)
    laying = lay(image, target, account, verify=True)
    try:
        if not is_ours(image):
            raise ValueError(f"{image} may be somebody else's")
        about = next(laying)
    except (FileNotFoundError, ValueError):
        shutil.rmtree(target, ignore_errors=True)
        made = _make(image, target.with_name("initdb"), programs, account)
        laying = lay(made, target, account)
        about = next(laying)
    yield about
    yield from laying


def image_path(programs: Programs) -> Path:
    """Where the ready-made data folder of this build is kept."""
    return cache_folder() / f"data-{programs.version}-{programs.key()}-{made_with()}"


def made_with() -> str:
    """Names the settings of a data folder, how it is packed, and which locales this machine has:
    initdb makes collations of them."""
    facts = f"{_FORMAT} {_SETTINGS} {_SETTINGS_18} {_STRIP} {changed_at(*_LOCALES)}"
    return sha256(facts.encode()).hexdigest()[:8]


def changed_at(*places: Path) -> tuple[int, ...]:
    """When each of them was changed last, as far as it is there."""
    found = []
    for place in places:
        with suppress(OSError):
            found.append(place.stat().st_mtime_ns)
    return tuple(found)


def _make(image: Path, scratch: Path, programs: Programs, account: Account) -> Path:
    """Where it lies now: of a cache without room, beside what it was made of."""
    scratch.mkdir(mode=0o700)
    account.give(scratch)
    try:
        initialise(scratch, programs, account)
        try:
            pack(scratch, image, programs, account)
        except OSError:
            image = scratch.with_name(image.name)
            pack(scratch, image, programs, account)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _prune(image)
    return image


def initialise(
    folder: Path, programs: Programs, account: Account, superuser: str = SUPERUSER
) -> None:
    """Make a data folder in the empty `folder`, with a system identifier of its own.

    Raises `ServerError` when ``initdb`` fails, `OSError` without room.
    """
    options = [
        *("-D", str(folder), "-U", superuser, "-E", "UTF8", "--wal-segsize=1"),
        *("--auth=trust", "--no-sync", "--no-instructions"),
        *(("--no-data-checksums",) if programs.version >= 18 else ()),
    ]
    command = [programs["initdb"], *options]
    done = _run([*command, "--locale=C.UTF-8"], account)
    if done.returncode and "locale" in done.stderr:
        done = _run([*command, "--locale=C"], account)
    if done.returncode and "could not look up effective user ID" in done.stderr:
        raise ServerError(
            f"the user {account.uid} has no name on this machine",
            why="PostgreSQL runs for nobody who has none, in a container with a user of any number",
            fix=f"add a line to its /etc/passwd, hk:x:{account.uid}:{account.gid}::/tmp:/bin/sh, or"
            " run as a user that is there; or give a server that runs: --hk-staging-url",
        )
    if done.returncode:
        # There, or for the shared memory of the server.
        for line in done.stderr.splitlines():
            if os.strerror(errno.ENOSPC) in line:
                raise OSError(errno.ENOSPC, line.partition("FATAL:")[2].strip() or line)
        raise ServerError(
            f"initdb of PostgreSQL {programs.version} in {programs.folder} failed:\n"
            + "\n".join(f"    {line}" for line in done.stderr.strip().splitlines()[-6:]),
            why="staging needs a data folder, made once per version of the server",
            fix=WAYS_OUT,
        )
    newer = _SETTINGS_18 if programs.version >= 18 else ""
    (folder / "postgresql.conf").write_text(_SETTINGS + newer)
    (folder / "pg_hba.conf").write_text("local all all trust\n")
    _run([programs["postgres"], "--single", "-D", str(folder), MAINTENANCE], account, _STRIP)


def _run(
    command: list[str], account: Account, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return run(command, account, text)
    except OSError as error:
        raise does_not_run(command[0], error) from None


def _prune(image: Path) -> None:
    """Forget the images of builds that no run has used for a month, and half-made ones."""
    for path in (*image.parent.glob("data-*"), *image.parent.glob(f"{HALF_MADE}*")):
        with suppress(OSError):
            limit = _MONTH_S if path.name.startswith("data-") else 3600
            if time.time() - path.stat().st_mtime > limit:
                path.unlink()
