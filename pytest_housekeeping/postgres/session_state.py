"""What a file can leave behind in the session that it runs in: read behind each, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import psycopg

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.postgres.connection import KEEPALIVES, Connection

STATE = """
SELECT pg_catalog.pg_current_xact_id()::text, current_user::text, session_user::text,
       pg_catalog.current_setting('search_path'),
       CASE WHEN pg_catalog.pg_my_temp_schema() <> 0 THEN pg_catalog.to_json(ARRAY(
           SELECT c.relname::text FROM pg_catalog.pg_class AS c
           WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind <> 'i'
           ORDER BY 1))::text END"""
_SETTINGS = """
       pg_catalog.to_json(ARRAY(
           SELECT s.name || ' = ' || s.setting FROM pg_catalog.pg_settings AS s
           WHERE s.source = 'session' ORDER BY 1))::text"""
# Advisory locks of a session outlive its transaction, and its ROLLBACK: others would wait for them
# until the run ends. https://www.postgresql.org/docs/16/explicit-locking.html#ADVISORY-LOCKS
_UNLOCK = "pg_catalog.pg_advisory_unlock_all()"
ROLLBACK = f"ROLLBACK; SELECT {_UNLOCK}"
STATE_WITH_SETTINGS = f"{STATE}, {_SETTINGS} FROM {_UNLOCK}"
# Prepared, the state costs a third: it is asked for behind each of thousands of files.
PREPARE_STATE = f"PREPARE hk_state AS {STATE}"
# Behind a file that may have prepared something under a name of ours.
PREPARE_AGAIN = f"DEALLOCATE ALL; {PREPARE_STATE}"
PREPARED_STATE = "EXECUTE hk_state"
# RESET ALL leaves role and session_authorization alone: they are marked GUC_NO_RESET_ALL.
PUT_BACK = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionState:
    """The session at one moment. ``settings`` are those that were set in it, where they were asked
    for; ``temporary`` are its temporary objects, None where it never had one."""

    xid: str
    user: str
    session_user: str
    search_path: str
    temporary: tuple[str, ...] | None
    settings: tuple[str, ...] = ()

    @classmethod
    def of_row(cls, row: Sequence[str | None]) -> SessionState:
        """From the one row of ``STATE`` or ``STATE_WITH_SETTINGS``, as texts."""
        xid, user, session_user, search_path, temporary, *settings = row
        return cls(
            xid=xid or "",
            user=user or "",
            session_user=session_user or "",
            search_path=search_path or "",
            temporary=tuple(json.loads(temporary)) if temporary else None,
            settings=tuple(json.loads(settings[0] or "[]")) if settings else (),
        )

    def changes(self, user: str, search_path: str, settings: Sequence[str]) -> tuple[str, ...]:
        """What is not as it was at BEGIN, in words; ``settings`` were set before."""
        changed = []
        if self.user != user:
            changed.append(f"role {self.user}")
        if self.session_user != user:
            changed.append(f"session authorization {self.session_user}")
        if self.search_path != search_path:
            changed.append(f"search_path = {self.search_path or repr('')}")
        changed += [f"temporary table {name}" for name in self.temporary or ()]
        changed += [
            setting
            for setting in self.settings
            if setting not in settings and not setting.startswith(("role =", "search_path ="))
        ]
        return tuple(changed)


def read_settings(connection: Connection, first: Sequence[str] = ()) -> tuple[str, ...]:
    """The settings that were set in this session, after it has set some ``first``."""
    cursor = connection.execute("; ".join((*first, f"SELECT {_SETTINGS}")))
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    return tuple(json.loads(row[0])) if row else ()


# A run that was killed, or cut off, waits for no statement any more, and one that takes long would
# keep its locks to the end: the server looks meanwhile whether anybody is there. Where its system
# does not tell (https://www.postgresql.org/docs/16/runtime-config-connection.html), it cannot.
LOOKS_FOR_ITS_CLIENT = "client_connection_check_interval"
LOOK_FOR_CLIENT = f"SET LOCAL {LOOKS_FOR_ITS_CLIENT} = '2s'"
LOOK_FOR_CLIENT_IF_IT_CAN = (
    f"SELECT pg_catalog.set_config('{LOOKS_FOR_ITS_CLIENT}', '2s', true)"
    " WHERE pg_catalog.version() ~ 'linux'"
)


@contextmanager
def looked_for(connection: Connection) -> Iterator[None]:
    """The same outside of a transaction, while the block runs."""
    connection.execute(LOOK_FOR_CLIENT_IF_IT_CAN.replace("true", "false").encode())
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute(f"RESET {LOOKS_FOR_ITS_CLIENT}".encode())


def local_settings(config: Config, *, lock_ms: int | None = None) -> str:
    """SET LOCAL of the limits; ``row_security = off`` makes a silent "0 rows" an error.

    ``lock_ms`` is for how long a lock is waited for, where that is not what the project allows.
    """
    lock_timeout = config.lock_timeout if lock_ms is None else f"{lock_ms}ms"
    return _limits(lock_timeout, config.statement_timeout, config.idle_timeout)


def no_longer_than(config: Config, most_ms: int) -> str:
    """SET LOCAL of the limits of time, where neither a statement nor a pause may take longer."""
    given = (config.statement_timeout, config.idle_timeout)
    query, idle = (min(most_ms, milliseconds(each) or most_ms) for each in given)
    return (
        f"SET LOCAL statement_timeout = '{query}ms';"
        f" SET LOCAL idle_in_transaction_session_timeout = '{idle}ms'"
    )


@lru_cache(maxsize=16)
def _limits(lock_timeout: str, statement_timeout: str, idle_timeout: str) -> str:
    limits = {
        "row_security": "off",
        "lock_timeout": lock_timeout,
        "statement_timeout": statement_timeout,
        "idle_in_transaction_session_timeout": idle_timeout,
        "client_min_messages": "warning",
        # Both ends look alike whether the other one is there.
        **{f"tcp_{name}": value for name, value in KEEPALIVES.items()},
    }
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in limits.items())
