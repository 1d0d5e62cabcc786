"""The schema as the SQL that recreates it: the same schema, the same bytes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.declarations.pinned_settings import pinned
from pytest_housekeeping.postgres.connection import READS_ONLY, WRITES_LOGIN
from pytest_housekeeping.postgres.session import startup_options
from pytest_housekeeping.server.pooler import MORE_SESSIONS, is_full
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump, pg_dump_version
from pytest_housekeeping.snapshot.problems import BackupFailed
from pytest_housekeeping.sql.identifiers import in_quotes, quoted

_TIMEOUT_S = 600.0
_LOCK_WAIT_S = 30.0
_CAN_EXCLUDE = 17
_RESTRICT = re.compile(rb"^\\restrict (\w+)\n", re.MULTILINE)
_VERSIONS = re.compile(
    rb"\A(--\n-- PostgreSQL database dump\n--\n)(.{0,200}?)"
    rb"-- Dumped from database version [^\n]*\n-- Dumped by pg_dump version [^\n]*\n\n",
    re.DOTALL,
)
# The triggers of a partition's foreign key are named by an OID, another one after a restore.
_BY_OID = re.compile(
    rb"^--\n-- Name: [^\n]* RI_ConstraintTrigger_[ac]_\d+; Type: TRIGGER; [^\n]*\n--\n+"
    rb"ALTER TABLE [^\n]* TRIGGER \"RI_ConstraintTrigger_[ac]_\d+\";\n+",
    re.MULTILINE,
)
# An option of a user mapping or server: `    password 'secret'`, its quotes doubled inside.
_WITH_OPTIONS = re.compile(
    rb"^CREATE (?:USER MAPPING FOR|SERVER) [^\n]* OPTIONS \(.*?\n\);\n", re.MULTILINE | re.DOTALL
)
_OPTION = re.compile(rb"^(    (?:\w+|\"[^\"]+\") )E?'(?:[^']|'')*'(,?)$", re.MULTILINE)
_SECRET_OPTION = re.compile(rb"pass|secret|token|key|jwt|credential|auth", re.IGNORECASE)


def dump_schema(
    conninfo: str,
    *,
    server_major: int,
    rows: bool = False,
    extensions: Sequence[str] = (),
    but: Sequence[str] = (),
    absent_kinds: Sequence[str] = (),
    timeout_s: float = _TIMEOUT_S,
    lock_wait_s: float = _LOCK_WAIT_S,
    started: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> bytes:
    """The whole database as ``pg_dump --schema-only`` writes it, without what varies; with
    ``rows``, those too. Where ``extensions`` are named, no others are in it, which are those of
    ``but``. Of ``absent_kinds``, by `SchemaReader`, there is nothing to look for.

    Left out: the versions of server and pg_dump; subscriptions, whose text is a connection with
    its password; the secrets of user mappings and servers; that a partition's foreign key is
    disabled, which is written with an OID. The key of ``\\restrict`` is made of the
    content instead of by chance, so that nothing in the content can know it.

    Raises BackupFailed naming what could not be read, and the remedy. The password is in the
    environment of pg_dump and nowhere else. ``started`` is given the process, to end it.
    """
    program = find_pg_dump(server_major)
    known = conninfo_to_dict(conninfo)
    password = str(known.pop("password", None) or "")
    # Options of a connection string have the last word over the variable, empty ones too.
    given = known.pop("options", None) or ""
    command = _command(
        program,
        make_conninfo("", **known),
        lock_wait_s,
        rows=rows,
        choice=(*_chosen(program, extensions, but), *(f"--no-{each}" for each in absent_kinds)),
    )
    environment = {"PGTZ": "UTC"} | ({"PGPASSWORD": password} if password else {})
    settings = pinned(server_major, {READS_ONLY: "on"})
    environment["PGOPTIONS"] = f"{given} {startup_options(settings)}"
    done = _ended(command, environment, timeout_s, started)
    if WRITES_LOGIN.search(done.stderr.decode(errors="replace")):
        # Its transaction only reads in any case.
        environment["PGOPTIONS"] = f"{given} {startup_options({**settings, READS_ONLY: 'off'})}"
        done = _ended(command, environment, timeout_s, started)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise _failure(said.replace(password, "[secret]") if password else said, known, lock_wait_s)
    return normalised(done.stdout)


def _ended(
    command: Sequence[str],
    environment: dict[str, str],
    timeout_s: float,
    started: Callable[[subprocess.Popen[bytes]], None],
) -> subprocess.CompletedProcess[bytes]:
    """pg_dump, with these variables and no others that are known to programs of PostgreSQL."""
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(
            command, stdout=pipe, stderr=pipe, env=bare_environment() | environment
        ) as process:
            started(process)
            try:
                out, said = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, said)
    except subprocess.TimeoutExpired:
        raise BackupFailed(
            f"pg_dump took longer than {timeout_s:.0f} s",
            why="a backup that is not complete is none",
            fix="see what it waits for (pg_stat_activity), or allow it more time",
        ) from None
    except OSError as error:
        raise BackupFailed(
            f"{command[0]} could not be run: {error.strerror}",
            why="without a backup nothing is promoted",
            fix="reinstall the client programs of PostgreSQL",
        ) from None


def normalised(dump: bytes) -> bytes:
    """A dump without the lines that differ between two dumps of one schema."""
    text = _VERSIONS.sub(rb"\1\2", dump, count=1)
    # Most dumps have neither, which is seen at once.
    if b" RI_ConstraintTrigger_" in text:
        text = _BY_OID.sub(b"", text)
    if b" OPTIONS (" in text:
        text = _WITH_OPTIONS.sub(lambda found: _OPTION.sub(_without_secret, found[0]), text)
    match = _RESTRICT.search(text)
    if match is None:
        return text
    key = sha256(without_restriction(text)).hexdigest().encode()
    return text.replace(match[1], key)


def without_restriction(dump: bytes) -> bytes:
    """A dump without its ``\\restrict`` pair, for a psql that does not know it."""
    match = _RESTRICT.search(dump)
    if match is None:
        return dump
    start, marked, end = dump.rpartition(b"\\unrestrict " + match[1] + b"\n")
    text = start + end if marked else dump
    return text[: match.start()] + text[match.end() :]


def _chosen(program: Path, extensions: Sequence[str], but: Sequence[str]) -> tuple[str, ...]:
    """Where some are named, pg_dump leaves out event triggers and publications as well; from 17 on
    it can be told which to leave out: https://www.postgresql.org/docs/17/app-pgdump.html"""
    if but and pg_dump_version(program) >= _CAN_EXCLUDE:
        return tuple(f"--exclude-extension={in_quotes(name)}" for name in but)
    return tuple(f"--extension={in_quotes(name)}" for name in extensions)


def _command(
    program: Path, conninfo: str, lock_wait_s: float, *, rows: bool, choice: Sequence[str]
) -> list[str]:
    return [
        str(program),
        *([] if rows else ["--schema-only"]),
        *choice,
        "--no-password",
        "--no-subscriptions",
        "--encoding=UTF8",
        f"--lock-wait-timeout={lock_wait_s * 1000:.0f}",
        f"--dbname={conninfo}",
    ]


def _without_secret(option: re.Match[bytes]) -> bytes:
    if not _SECRET_OPTION.search(option[1]):
        return option[0]
    return option[1] + b"'[secret]'" + option[2]


def _failure(said: str, known: Mapping[str, object], lock_wait_s: float) -> BackupFailed:
    user = str(known.get("user") or "the promoting role")
    grantee = quoted(user) if known.get("user") else "<the promoting role>"
    why = "without a whole backup nothing is promoted"
    denied = re.search(r"permission denied for (\w+(?: \w+)?) (\S+)", said)
    if denied:
        return BackupFailed(
            f"{user} may not read {denied[1]} {denied[2]}, so pg_dump cannot lock it",
            why=why,
            fix=f"GRANT pg_read_all_data TO {grantee}; (or USAGE on each schema and SELECT on each"
            " table)",
        )
    if "lock timeout" in said or "statement timeout" in said:
        return BackupFailed(
            f"pg_dump waited longer than {lock_wait_s:.0f} s for a lock: {_last(said)}",
            why="somebody holds a table so strongly that it cannot even be read",
            fix="see who (pg_locks, pg_stat_activity), and run again",
        )
    if "server version mismatch" in said:
        return BackupFailed(
            f"pg_dump is older than the server: {_last(said)}",
            why=why,
            fix="install client programs at least as new as the server",
        )
    if is_full(said):
        return BackupFailed(
            f"there is no session left for pg_dump: {_last(said)}", why=why, fix=MORE_SESSIONS
        )
    if "connection" in said or "could not connect" in said:
        return BackupFailed(
            f"pg_dump lost the connection: {_last(said)}",
            why=why,
            fix="check the server and the network, and run again: nothing was changed",
        )
    return BackupFailed(f"pg_dump failed: {_last(said)}", why=why, fix="see the message of pg_dump")


def _last(said: str) -> str:
    return " / ".join(line.strip() for line in said.splitlines()[:4] if line.strip())
