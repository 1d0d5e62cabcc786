"""PgBouncer in front of a server, in each of its modes: refused by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.postgres import connection
from pytest_housekeeping.promotion.production.target_address import Address, open_production
from pytest_housekeeping.server.given_url import open_url
from pytest_housekeeping.server.run_folder import storages
from support.postgres_service import PASSWORD, free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine")


@contextmanager
def pooler(server: int, mode: str, ignored: str) -> Iterator[int]:
    """The port of one that keeps sessions as ``mode`` says."""
    folder = Path(tempfile.mkdtemp(prefix="hk-pooler-", dir=next(storages())))
    folder.chmod(0o755)
    port = free_port()
    (folder / "users").write_text(f'"postgres" "{PASSWORD}"\n')
    lines = (
        *("[databases]", f"* = host=127.0.0.1 port={server}", "[pgbouncer]", "unix_socket_dir ="),
        *("listen_addr = 127.0.0.1", f"listen_port = {port}", "auth_type = plain"),
        *(f"auth_file = {folder}/users", f"pool_mode = {mode}"),
        f"ignore_startup_parameters = {ignored}",
    )
    (folder / "ini").write_text("\n".join([*lines, ""]))
    # It does not run as root.
    user = "nobody" if os.geteuid() == 0 else None
    program = subprocess.Popen([str(PROGRAM), "-q", folder / "ini"], user=user)
    try:
        _wait(port)
        yield port
    finally:
        program.kill()
        program.wait()
        shutil.rmtree(folder)


def _wait(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
            psycopg.connect(where, password=PASSWORD).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
@pytest.mark.parametrize("ignored", ["extra_float_digits", "extra_float_digits, options"])
def test_a_pooler_is_refused_by_name(
    port: int, mode: str, ignored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_MAJORS", {})
    with pooler(port, mode, ignored) as behind:
        address = Address(
            host="127.0.0.1",
            port=behind,
            database="postgres",
            user="postgres",
            password=PASSWORD,
            sslmode="prefer",
        )
        url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{behind}/postgres"
        for attempt in (lambda: open_production(address), lambda: open_url(url)):
            with pytest.raises(HousekeepingError) as caught:
                attempt()
            assert "a pooler stands in front of" in str(caught.value)
            assert "past the pooler" in caught.value.fix
            assert PASSWORD not in str(caught.value)
