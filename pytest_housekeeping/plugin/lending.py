"""From a fixture that a test asks for to its database, and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

import pytest

from pytest_housekeeping.databases.content import ALL, State, version_of
from pytest_housekeeping.databases.databases import Databases, Lent, Run
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed
from pytest_housekeeping.plugin.stash import DATABASES, LENT, PROMOTION

if TYPE_CHECKING:
    import psycopg

    from pytest_housekeeping.databases.content import Content
    from pytest_housekeeping.databases.database import Database
    from pytest_housekeeping.promotion.engine import Promotion

_LASTING = ("session", "package", "module", "class")


def lend(
    request: pytest.FixtureRequest,
    *,
    seeds: str | Sequence[str] | None = None,
    at: str | int | None = None,
    empty: bool = False,
) -> Iterator[Database]:
    """A database for as long as the fixture lives; what was changed of roles fails its teardown."""
    with _told():
        databases = databases_of(request.config)
        lent = databases.lend(
            State() if empty else _state(request, databases, seeds, at),
            empty=empty,
            lasts=request.scope in _LASTING,
            upcoming=_upcoming(request),
            asked_by=request.node.nodeid or "the session",
        )
    request.node.stash.setdefault(LENT, {})[lent.database.name] = lent
    yield lent.database
    changed = databases.take_back(lent)
    if changed:
        pytest.fail(_roles_changed(changed, databases), pytrace=False)


def lend_transaction(
    request: pytest.FixtureRequest,
    *,
    seeds: str | Sequence[str] | None = None,
    at: str | int | None = None,
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection in a transaction; one that was ended fails the teardown."""
    with _told():
        databases = databases_of(request.config)
        state = _state(request, databases, seeds, at)
        place, connection = databases.transaction(state, asked_by=request.node.nodeid)
    yield connection
    try:
        connection.end()
    except ProofFailed as error:
        databases.spoilt(connection)
        changed = place.settle_roles()
        also = f"\n{_roles_changed(changed, databases)}" if changed else ""
        raise pytest.fail.Exception(f"{error}{also}", pytrace=False) from None


def migrating(request: pytest.FixtureRequest, database: Database) -> Callable[..., int]:
    """What ``hk_migrate`` is in this test."""
    databases = databases_of(request.config)
    lent: Lent = request.node.stash[LENT][database.name]

    def migrate(to: str | int | None = None) -> int:
        return databases.migrate(lent, _version(to, "hk_migrate"))

    return migrate


def acting_as(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """What ``hk_role`` is in this test: on its ``hk_database``, else in its ``hk_transaction``."""
    databases = databases_of(request.config)
    own = [name for name in _OF_A_TEST if name in request.fixturenames]
    given = request.getfixturevalue(own[0] if own else "hk_transaction")

    @contextmanager
    def act(role: str, **settings: object) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        from pytest_housekeeping.postgres.acting import as_role

        full = databases.settings_of(settings, asked="hk_role")
        if not own:
            with as_role(given, role, full):
                yield given
            return
        with given.connect() as connection:
            try:
                with as_role(connection, role, full):
                    yield connection
            finally:
                connection.rollback()

    return act


_OF_A_TEST = ("hk_database", "hk_database_module", "hk_database_session", "hk_empty_database")


def executor(request: pytest.FixtureRequest, dbname: str) -> Executor:
    """The server of the run and the template on it, as pytest-postgresql asks for them."""
    with _told():
        databases = databases_of(request.config)
        place, template = databases.server(asked_by=request.node.nodeid or "the session")
    cluster = place.cluster
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return Executor(
        host=cluster.host,
        port=cluster.port,
        user=cluster.superuser,
        password=cluster.password,
        dbname=f"{dbname}{worker}",
        template_dbname=template,
        maintenance_dbname=cluster.maintenance,
    )


@dataclass(frozen=True, kw_only=True)
class Executor:
    """What pytest-postgresql reads of a process fixture."""

    host: str
    port: int
    user: str
    dbname: str
    template_dbname: str
    maintenance_dbname: str
    password: str = field(default="", repr=False)
    options: str = ""


def databases_of(config: pytest.Config) -> Databases:
    """Those of this process; they are left when pytest ends.

    With a mode they are for the tests of an application, on the schema that was proved. Raises
    MisuseError for any other test.
    """
    if PROMOTION in config.stash:
        _refuse_unpromoted(config.stash[PROMOTION])
    if DATABASES not in config.stash:
        databases = Databases(_run(config), _proof(config))
        config.stash[DATABASES] = databases
        config.add_cleanup(databases.close)
    return config.stash[DATABASES]


def _refuse_unpromoted(promotion: Promotion) -> None:
    from pytest_housekeeping.plugin.promoted import is_promoted

    if not is_promoted(promotion):
        raise MisuseError(
            f"a database of its own for a test, with --hk-mode={promotion.run.context.mode}",
            why="in a promotion a test runs on the uncommitted schema, and this would be another",
            fix="use hk_connection or hk_role; or put the test under a path of `tests` in [apps.…]"
            " of boundaries.toml, which staging runs on what it has proved",
        )


def _proof(config: pytest.Config) -> Callable[[Content, Database], None] | None:
    """What the first database is asked, where a mode is set."""
    if PROMOTION not in config.stash:
        return None
    from pytest_housekeeping.databases.proved import refuse_other_files, refuse_other_schema

    run = config.stash[PROMOTION].run

    def prove(content: Content, made: Database) -> None:
        refuse_other_files(content, run.context.plan.sources.held)
        refuse_other_schema(content, made, run.throwaway.database())

    return prove


def _run(config: pytest.Config) -> Run:
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    own = f"{os.getpid()} {token_hex(8)}"
    return Run(
        root=config.rootpath,
        name=str(worker.get("testrunuid", own)),
        worker=str(worker.get("workerid", "")),
        workers=int(worker.get("workercount", 1)),
        reuse=config.option.hk_reuse != "off",
        url=os.environ.get("HK_TEST_URL", ""),
    )


def _state(
    request: pytest.FixtureRequest,
    databases: Databases,
    seeds: str | Sequence[str] | None,
    at: str | int | None,
) -> State:
    """What is asked for: by the factory, else by the markers, else by the ini option."""
    node: pytest.Item | pytest.Collector = request.node
    if seeds is None:
        marks = node.iter_markers("hk_seeds")
        marked = [name for marker in marks for name in marker.args or (ALL,)]
        seeds = marked or request.config.getini("hk_seeds")
    if at is None and (marker := node.get_closest_marker("hk_at")):
        if len(marker.args) != 1 or marker.kwargs:
            raise MisuseError(
                "hk_at takes one version",
                why="the test would run on another state than it was written for",
                fix='@pytest.mark.hk_at("0012")',
            )
        at = marker.args[0]
    names = (seeds,) if isinstance(seeds, str) else tuple(seeds)
    paths = databases.content.seeds_called(names) if names else ()
    return State(at=_version(at, "hk_at"), seeds=paths)


def _version(given: str | int | None, asked: str) -> str | None:
    if given is None:
        return None
    text = version_of(str(given))
    if not text or not set(text) <= _IN_A_VERSION:
        raise MisuseError(
            f"{asked}({given!r}): that is no version of a migration",
            why="the test would run on another state than it was written for",
            fix=f'{asked}("0012"), for 0012_add_customer_email.sql',
        )
    return text


_IN_A_VERSION = frozenset(f"{ascii_letters}{digits}._-")


def _upcoming(request: pytest.FixtureRequest) -> int:
    """How many tests behind this one ask for the same fixture, at the most."""
    if request.scope != "function":
        return 0
    counts = request.session.stash.setdefault(_COUNTS, {})
    name = request.fixturename
    if name not in counts:
        items = request.session.items
        counts[name] = sum(name in getattr(item, "fixturenames", ()) for item in items)
    counts[name] -= 1
    return max(0, counts[name])


_COUNTS: pytest.StashKey[dict[str | None, int]] = pytest.StashKey()


@contextmanager
def _told() -> Iterator[None]:
    """What this package refuses is told in its own words, without the way there."""
    try:
        yield
    except HousekeepingError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _roles_changed(changed: Sequence[str], databases: Databases) -> str:
    lines = "\n".join(f"    {each}" for each in changed)
    others = " (or one of another worker at the same time)" if databases.workers > 1 else ""
    error = HousekeepingError(
        f"the test{others} has changed roles, which belong to the server and not to its database:\n"
        f"{lines}",
        why="other tests see that; it was put back",
        fix="make a role of the test's own, or do it in hk_transaction, which is rolled back",
    )
    return str(error)
