"""Tests of snapshot/copies/proof.py: a whole backup is proved, one that is not is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.compare.difference import diff, in_common
from pytest_housekeeping.snapshot.copies.proof import BackupProof, prove_backup
from pytest_housekeeping.snapshot.copies.server import RestoreServer, start_restore_server
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved
from support.fresh_copy import ROOT
from support.installed_server import installed_server
from support.snapshot_schema import BASE, ROLES, drop_roles


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What a promotion keeps before it starts."""

    schema: bytes
    roles: bytes
    fingerprint: Fingerprint

    @property
    def major(self) -> int:
        return self.fingerprint.server_major

    def prove(self, restore_server: RestoreServer | None = None) -> BackupProof:
        return prove_backup(
            self.schema,
            self.roles,
            self.fingerprint,
            server_major=self.major,
            restore_server=restore_server,
        )


def _backup(connection: Connection, database: StagingDatabase) -> Backup:
    major = connection.info.server_version // 10000
    return Backup(
        schema=dump_schema(database.superuser_conninfo, server_major=major),
        roles=dump_roles(connection),
        fingerprint=read_fingerprint(connection),
    )


def _backup_of(server: Server, *statements: str | bytes) -> Backup:
    """A backup of a fresh database in which the statements were run."""
    database = server.database()
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            for statement in statements:
                text = statement.encode() if isinstance(statement, str) else statement
                connection.execute(text)
            return _backup(connection, database)
    finally:
        server.drop(database)


@pytest.fixture(scope="module")
def backup(server: Server) -> Iterator[Backup]:
    """One object of every kind, and roles that hold one another."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(ROLES)
        connection.execute(BASE)
        connection.execute(
            "GRANT fp_owner TO fp_app WITH ADMIN OPTION; SET ROLE fp_app;"
            ' GRANT fp_owner TO "Fp Ünïcode"; RESET ROLE;'
            " ALTER ROLE fp_app SET search_path = shop, ''; GRANT pg_monitor TO fp_app;"
            " ALTER ROLE fp_app SET app.token = 'geheim'"
        )
        connection.execute(
            f"ALTER DATABASE {database.name} SET app.api_key = 'geheim';"
            f"ALTER ROLE fp_app IN DATABASE {database.name} SET search_path = 'shop';"
            f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {database.name} TO fp_app WITH GRANT OPTION;"
            f"SET ROLE fp_app; GRANT CONNECT ON DATABASE {database.name} TO fp_owner; RESET ROLE;"
            f"COMMENT ON DATABASE {database.name} IS '100 % it''s'"
        )
        taken = _backup(connection, database)
    yield taken
    server.drop(database)
    drop_roles(database)


@pytest.fixture(scope="module")
def restore_server(backup: Backup) -> Iterator[RestoreServer]:
    opened = start_restore_server(backup.major)
    yield opened
    opened.close()


def test_a_whole_backup_is_proved_again_and_again(
    backup: Backup, restore_server: RestoreServer
) -> None:
    for _ in range(2):
        proof = backup.prove(restore_server)
        assert proof == BackupProof(
            objects=len(backup.fingerprint.with_no_more(Around.NOTHING).entries),
            server_major=backup.major,
        )


def test_without_a_bench_one_is_opened_and_closed(backup: Backup) -> None:
    assert backup.prove().limits == ()


@pytest.mark.parametrize(
    ("text", "instead", "named"),
    [
        ("CREATE POLICY mine ON", "-- ", "policy mine on shop.orders is missing"),
        ("USING ((customer = 1))", "USING (true)", "policy mine on shop.orders"),
        ("AS RESTRICTIVE USING (true)", "AS RESTRICTIVE USING (false)", "policy strict"),
        ("ALTER TABLE ONLY shop.orders FORCE ROW LEVEL SECURITY;", "", "table shop.orders"),
        ("SELECT a + b", "SELECT a - b", "function shop.add(integer,integer)"),
        ("GRANT UPDATE(note) ON TABLE shop.orders TO fp_app;", "", "column shop.orders.note"),
        ("INCREMENT BY 2", "INCREMENT BY 3", "sequence shop.counter"),
        ("'it''s sent'", "'is sent'", "type shop.state"),
        ("(total >= 0)", "(total >= 1)", "constraint positive on shop.orders"),
        ("security_invoker='true'", "security_invoker='false'", "view shop.paid"),
        ("c.id = o.customer", "c.id <> o.customer", "view shop.paid"),
        ("COMMENT ON COLUMN shop.orders.note IS 'free';", "", "column shop.orders.note"),
        ("CREATE INDEX orders_lower ON shop.orders USING btree (lower(note));", "", "orders_lower"),
        ("bigint DEFAULT 0", "bigint DEFAULT 1", "column shop.orders.total"),
        ("OWNER TO fp_owner", "OWNER TO fp_app", "schema shop"),
    ],
)
def test_a_backup_that_lacks_something_is_refused_with_its_name(
    backup: Backup, restore_server: RestoreServer, text: str, instead: str, named: str
) -> None:
    damaged = backup.schema.replace(text.encode(), instead.encode())
    if damaged == backup.schema:
        damaged = backup.schema.replace(text.replace("'", "").encode(), instead.encode())
    assert damaged != backup.schema
    with pytest.raises(BackupNotProved) as caught:
        replace(backup, schema=damaged).prove(restore_server)
    assert named in caught.value.found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b'CREATE ROLE "fp_app"', 'role "fp_app" does not exist'),
        (
            b"DO $hk$ BEGIN EXECUTE pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC'",
            "datab",
        ),
    ],
)
def test_roles_that_lack_something_are_refused(
    backup: Backup, restore_server: RestoreServer, text: bytes, named: str
) -> None:
    lines = [line for line in backup.roles.splitlines() if not line.startswith(text)]
    with pytest.raises(BackupNotProved) as caught:
        replace(backup, roles=b"\n".join(lines) + b"\n").prove(restore_server)
    assert named in caught.value.found


def test_a_schema_that_moved_on_while_it_was_dumped_is_refused(
    backup: Backup, restore_server: RestoreServer
) -> None:
    later = backup.fingerprint.without("sequence")
    with pytest.raises(BackupNotProved, match=r"sequence shop\.counter is there and should not be"):
        replace(backup, fingerprint=later).prove(restore_server)


def test_the_sample_of_this_repository_is_proved(
    server: Server, restore_server: RestoreServer
) -> None:
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        for path in sorted((ROOT / "sql" / "bootstrap").glob("*.sql")):
            connection.execute(path.read_bytes())
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        for folder in ("migrations", "views", "policies"):
            for path in sorted((ROOT / "sql" / folder).glob("*.sql")):
                connection.execute(path.read_bytes())
        taken = _backup(connection, database)
        as_migrator = dump_schema(database.migrator_conninfo, server_major=taken.major)
        assert as_migrator == taken.schema
        proof = taken.prove(restore_server)
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute("DROP SCHEMA venture, engineering, governance CASCADE")
    server.drop(database)
    assert proof.objects > 300
    assert proof.limits == ()


@pytest.mark.parametrize(("production", "restored"), [(16, 18), ("system", 16), ("system", 18)])
def test_another_version_is_a_limit_that_is_told(production: int | str, restored: int) -> None:
    if production == "system":
        installed_server()
        own = start(ServerSettings(kind="system"))
    else:
        own = start(ServerSettings(version=int(production)))
    try:
        taken = _backup_of(own, ROLES, BASE)
    finally:
        own.stop()
    if taken.major > restored:
        pytest.skip("a newer schema need not restore in an older server")
    restore_server = start_restore_server(restored)
    try:
        proof = taken.prove(restore_server)
    finally:
        restore_server.close()
    assert proof.server_major == restore_server.major == restored
    version, *reprinted = proof.limits
    assert version.startswith(f"restored in PostgreSQL {restored}, production is {taken.major}")
    # 16 is the first that prints columns of a single table without its name.
    assert [each.rpartition(": ")[2] for each in reprinted] == (
        ["materialized view shop.summary"] if taken.major < 16 else []
    )


def test_16_and_18_have_the_same_fingerprint() -> None:
    taken = []
    for version in (16, 18):
        own = start(ServerSettings(version=version))
        try:
            taken.append(_backup_of(own, ROLES, BASE).fingerprint)
        finally:
            own.stop()
    older, newer, said = in_common(*taken)
    assert [str(each) for each in diff(older, newer)] == []
    assert older.digest == newer.digest
    assert said == "PostgreSQL's own objects, of 16 and 18"


def test_the_role_that_made_the_server_may_have_another_name() -> None:
    own = start(ServerSettings())
    try:
        database = own.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE mine (a int); CREATE ROLE helper SUPERUSER LOGIN")
        as_helper = database.cluster.conninfo(database.name, user="helper")
        with psycopg.connect(as_helper, autocommit=True) as connection:
            connection.execute('ALTER ROLE postgres RENAME TO "Cloud admin"')
            connection.execute("CREATE ROLE postgres LOGIN; CREATE TABLE theirs (a int)")
            connection.execute("ALTER TABLE theirs OWNER TO postgres")
            fingerprint = read_fingerprint(connection)
            dump = dump_schema(as_helper, server_major=16)
            roles = dump_roles(connection)
            restore_server = start_restore_server(16)
            for _ in range(2):
                assert (
                    prove_backup(
                        dump, roles, fingerprint, server_major=16, restore_server=restore_server
                    ).limits
                    == ()
                )
            restore_server.close()
            connection.execute("ALTER ROLE postgres RENAME TO old")
            connection.execute('ALTER ROLE "Cloud admin" RENAME TO postgres')
    finally:
        own.stop()


_GRANTED: dict[str, tuple[str, ...]] = {
    "no schema public": ("DROP SCHEMA public",),
    "an extension": ("CREATE EXTENSION {extension}", "REVOKE EXECUTE ON FUNCTION {fn} FROM PUBLIC"),
    "a tablespace": (
        "SET allow_in_place_tablespaces = on",
        "CREATE TABLESPACE hk_far LOCATION ''",
        "CREATE TABLE t (a int PRIMARY KEY USING INDEX TABLESPACE hk_far) TABLESPACE hk_far",
    ),
    "expressions that are printed in another way once they were read": (
        """CREATE TABLE t (
            a varchar(9) DEFAULT 'x' CHECK (a IN ('x', 'y')), b timestamptz DEFAULT '2020-01-01',
            c varchar(3) CHECK (c::bpchar IN ('x', 'y')))""",
        "CREATE VIEW v AS SELECT * FROM t WHERE a NOT IN ('x', 'z') AND a LIKE 'x%'",
        "CREATE POLICY p ON t USING (a IN ('x', 'y')) WITH CHECK (a <> ALL (ARRAY['z', a]))",
        "ALTER TABLE t RENAME COLUMN a TO renamed; ALTER TABLE t RENAME TO other",
    ),
    "partitions": (
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a)) PARTITION BY LIST (a)",
        "CREATE TABLE p1 (b int, x int, a int NOT NULL PRIMARY KEY)",
        "ALTER TABLE p1 DROP COLUMN x; ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1, 2)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (3); CREATE TABLE q (a int REFERENCES p)",
        "CREATE TABLE s (a int REFERENCES p) PARTITION BY HASH (a)",
        "CREATE TABLE s0 PARTITION OF s FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    ),
}


@pytest.mark.parametrize("statements", _GRANTED.values(), ids=_GRANTED.keys())
def test_what_a_dump_takes_for_granted_or_says_in_other_words(
    server: Server, restore_server: RestoreServer, statements: tuple[str, ...]
) -> None:
    name, function = (
        ("vector", "l2_distance(vector, vector)")
        if restore_server.has(frozenset({"vector"}))
        else ("citext", "citext_eq(citext, citext)")
    )
    taken = _backup_of(server, *(each.format(extension=name, fn=function) for each in statements))
    assert taken.prove(restore_server).limits == ()


def test_settings_of_the_database_do_not_hinder_the_restore(
    server: Server, restore_server: RestoreServer
) -> None:
    settings = (
        "default_transaction_read_only = on",
        "session_preload_libraries = 'hk_nowhere'",
        "statement_timeout = 1",
        "search_path = 'nowhere'",
    )
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a int)")
        for setting in settings:
            connection.execute(f"ALTER DATABASE {database.name} SET {setting}".encode())
        taken = Backup(
            schema=dump_schema(
                make_conninfo(
                    database.superuser_conninfo,
                    options="-c statement_timeout=0 -c session_preload_libraries=",
                ),
                server_major=restore_server.major,
            ),
            roles=dump_roles(connection),
            fingerprint=read_fingerprint(connection),
        )
    server.drop(database)
    assert b"hk_nowhere" in taken.roles
    assert taken.prove(restore_server).limits == ()


def test_disabled_foreign_keys_are_seen_and_are_a_limit_of_a_dump(
    server: Server, restore_server: RestoreServer
) -> None:
    taken = _backup_of(
        server,
        "CREATE TABLE t (a int PRIMARY KEY REFERENCES t); ALTER TABLE t DISABLE TRIGGER ALL",
    )
    (limit,) = taken.prove(restore_server).limits
    assert "triggers of a constraint are disabled: constraint t_a_fkey on public.t" in limit


def test_a_partition_whose_foreign_key_is_disabled_is_backed_up(
    server: Server, restore_server: RestoreServer
) -> None:
    """pg_dump names the triggers by OIDs, which no restore knows."""
    taken = _backup_of(
        server,
        "CREATE TABLE u (a int PRIMARY KEY); CREATE TABLE p (a int REFERENCES u, b int)"
        " PARTITION BY LIST (b); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "ALTER TABLE p1 DISABLE TRIGGER ALL",
    )
    (limit,) = taken.prove(restore_server).limits
    assert "triggers of a constraint are disabled: constraint p_a_fkey on public.p1" in limit
    assert b"RI_ConstraintTrigger" not in taken.schema


def test_options_of_a_toast_table_that_nothing_needs_are_a_limit_of_a_dump(
    server: Server, restore_server: RestoreServer
) -> None:
    taken = _backup_of(
        server,
        "CREATE TABLE t (a text, c int); ALTER TABLE t SET (toast.autovacuum_enabled = false);"
        " ALTER TABLE t DROP a",
        "CREATE TABLE kept (a text) WITH (toast.autovacuum_enabled = false)",
    )
    (limit,) = taken.prove(restore_server).limits
    assert limit.endswith(
        "no column needs a toast table any more, so a restore makes none with"
        " its options: table public.t"
    )
    lost = taken.schema.replace(b"toast.autovacuum_enabled='false'", b"fillfactor='100'")
    with pytest.raises(BackupNotProved, match=r"table public\.kept, production → restored: "):
        replace(taken, schema=lost).prove(restore_server)


def test_the_order_of_columns_is_proved_but_where_they_are_inherited(
    server: Server, restore_server: RestoreServer
) -> None:
    taken = _backup_of(
        server,
        "CREATE TABLE t (a int, b int); CREATE TABLE parent (a int)",
        "CREATE TABLE child (b int) INHERITS (parent); ALTER TABLE parent ADD c int",
    )
    (limit,) = taken.prove(restore_server).limits
    assert limit == "pg_dump writes inherited columns first: order of columns in table public.child"
    swapped = taken.schema.replace(b"a integer,\n    b integer", b"b integer,\n    a integer")
    assert swapped != taken.schema
    with pytest.raises(
        BackupNotProved, match=r"order of columns in table public\.t, .*a, b → b, a"
    ):
        replace(taken, schema=swapped).prove(restore_server)


def test_collations_that_the_server_lacks_are_stood_in_for() -> None:
    installed_server()
    own = start(ServerSettings(kind="system"))
    try:
        taken = _backup_of(
            own,
            'CREATE TABLE t (a text COLLATE "de-x-icu", b text);'
            'CREATE INDEX i ON t (b COLLATE "fr-x-icu"); CREATE DOMAIN d AS text COLLATE "POSIX"',
        )
    finally:
        own.stop()
    opened = start_restore_server(16)
    try:
        limits = taken.prove(opened).limits
    finally:
        opened.close()
    assert any("C stood in for them: de-x-icu, fr-x-icu" in limit for limit in limits)


def test_an_invalid_index_is_a_limit_of_a_dump(
    server: Server, restore_server: RestoreServer
) -> None:
    taken = _backup_of(
        server,
        "CREATE TABLE t (a int); CREATE INDEX bad ON t (a)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bad'::regclass",
    )
    assert taken.prove(restore_server).limits == (
        "pg_dump leaves out an invalid index: index public.bad",
    )


def test_a_server_that_nobody_has_is_named_with_the_way_out() -> None:
    with pytest.raises(BackupNotProved, match=r"no PostgreSQL 99 or newer") as caught:
        start_restore_server(99)
    assert "install the server package of PostgreSQL 99" in caught.value.fix


def test_an_extension_that_no_server_has_is_named_with_the_way_out() -> None:
    with pytest.raises(
        BackupNotProved, match=r"extensions that no server here has: hk_nowhere"
    ) as e:
        start_restore_server(16, frozenset({"plpgsql", "hk_nowhere"}))
    assert "--hk-staging-url" in e.value.fix


def test_a_bench_for_other_extensions_is_not_used(restore_server: RestoreServer) -> None:
    assert restore_server.has(frozenset({"plpgsql"}))
    assert not restore_server.has(frozenset({"hk_nowhere"}))
