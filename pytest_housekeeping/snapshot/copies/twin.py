"""A copy of the database that has what a check can read, for proving where nobody waits.

Equal catalogs answer equally: what a check reads of the catalog, it reads on the copy as well. So
the copy is compared with the whole fingerprint of the original, with roles, their memberships and
settings, parameters and large objects, and not only with what a dump holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from psycopg import sql

from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.server.embedded import how_to_have
from pytest_housekeeping.server.given_roles import derived_password
from pytest_housekeeping.server.staging_database import drop_roles, set_password
from pytest_housekeeping.snapshot.compare.difference import Difference, diff, listed
from pytest_housekeeping.snapshot.copies.changed_part import changed_part
from pytest_housekeeping.snapshot.copies.proof import (
    BackupProof,
    fitting_server,
    prove_copy,
    prove_copy_beside,
    prove_part_beside,
)
from pytest_housekeeping.snapshot.copies.restore import Copy, restored, restored_in
from pytest_housekeeping.snapshot.copies.server import RESTORER, RestoreServer
from pytest_housekeeping.snapshot.copies.spare import with_spare
from pytest_housekeeping.snapshot.coverage import Around, beyond
from pytest_housekeeping.snapshot.dumps.around import with_owners
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.extensions import extension_names, stubs_of
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING, Reading, read_whole

# How a copy is reached cannot be the same, and no check reads it: a subscription's text is a
# connection with its password, an extension is made by the superuser who restores it, and a label
# needs the module that provides it.
_NOT_COPIED = (
    *("subscription ", "state of extension ", "members of extension ", "tablespace "),
    "shared label ",
)
_SYSTEM = ("system ", "digest of system ")
_BESIDE = "hk_result"
_COPY_ONLY = f"role {RESTORER}"
_WHY = "what is proved on a copy holds for production only where the copy is as production"


@dataclass(frozen=True, kw_only=True)
class Dumps:
    """What a copy is made of: the schema, the roles, and what neither of them holds."""

    schema: bytes
    roles: bytes
    around: bytes


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A copy that stays up, the reading of its schema, the dump of it, and what was shown of that;
    ``stubs`` are extensions that its server has no more of than the project declares."""

    copy: Copy
    reading: Reading
    dumped: bytes
    proof: BackupProof
    limits: tuple[str, ...] = ()
    stubs: frozenset[str] = frozenset()

    @property
    def schema(self) -> Fingerprint:
        """The copy as it was restored."""
        return self.reading.fingerprint

    def connect(
        self, user: str = "", settings: Mapping[str, str] = MappingProxyType({})
    ) -> LentConnection:
        """A connection as a role of production, or as the superuser; the caller closes it."""
        superuser = self.schema.superuser
        if user not in ("", superuser) and (password := self._password(user)):
            # No dump of the roles holds a password, and a server that was given may ask for one.
            with connect(self._conninfo(superuser)) as connection:
                set_password(connection, user, password)
        return connect(self._conninfo(user or superuser), settings=settings)

    def dump(self) -> bytes:
        """What the copy is by now, as pg_dump writes it. Raises BackupFailed."""
        return dump_schema(
            self._conninfo(self.schema.superuser), server_major=self.schema.server_major
        )

    def prove_restores(self, dump: bytes, expected: Fingerprint) -> BackupProof:
        """A dump of the copy can be restored beside it, to the schema that it was taken of.

        What has the very text that the copy itself was restored from is restored again only where
        anything that it can meet is another thing by now. Raises BackupNotProved, naming the
        object.
        """
        if proof := self._prove_part(dump, expected):
            return proof
        with self.restored_beside(dump, expected) as copy:
            return prove_copy_beside(copy, expected)

    def _prove_part(self, dump: bytes, expected: Fingerprint) -> BackupProof | None:
        """The proof by the part that has changed; None where it has to be by all of the dump."""
        # What is told as a limit of the first proof, no part can show.
        part = None if self.proof.limits else changed_part(self.dumped, dump)
        if part is None:
            return None
        with suppress(BackupNotProved), self.restored_beside(part.text, expected) as copy:
            return prove_part_beside(copy, part, self.schema, expected)
        return None

    @contextmanager
    def restored_beside(
        self,
        dump: bytes,
        expected: Fingerprint,
        *,
        name: str = _BESIDE,
        roles: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Iterator[Copy]:
        """The dump, in another database of the server; dropped afterwards, and with it those of
        the ``roles`` that are not there, which are made by these statements.

        Raises RestoreRefused with the first statement that fails, BackupNotProved where the
        machine is in the way.
        """
        superuser, major = self.schema.superuser, self.schema.server_major
        database, beside_name = self.copy.database, sql.Identifier(name)
        beside = replace(
            database, name=name, cluster=replace(database.cluster, superuser=superuser)
        )
        with self.connect() as connection:
            known = connection.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()
            whole = with_owners(connection, dump)
            missing = sorted(set(roles) - {role for (role,) in known})
            # template1 may hold more than it had to begin with; a server of ours has no other.
            plain = connection.execute(
                "SELECT FROM pg_catalog.pg_database WHERE datname = 'template0'"
            ).rowcount
            made = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
            made = made if plain else "CREATE DATABASE {} STRATEGY file_copy"
            connection.execute(sql.SQL(made).format(beside_name))
            try:
                for role in missing:
                    connection.execute(roles[role])
                with restored_in(beside, major, whole, expected) as copy:
                    yield copy
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(beside_name))
                drop_roles(connection, frozenset(missing))

    @property
    def spare(self) -> Twin | None:
        """The copy as it was before anything was done to this one, where there is a second."""
        database = self.copy.spare
        if database is None:
            return None
        return replace(self, copy=replace(self.copy, database=database, spare=None))

    def _conninfo(self, user: str) -> str:
        database = self.copy.database
        return database.cluster.conninfo(database.name, user=user, password=self._password(user))

    def _password(self, user: str) -> str:
        cluster = self.copy.database.cluster
        return (
            cluster.password if user == self.schema.superuser else derived_password(cluster, user)
        )


@contextmanager
def twin_of(
    dumps: Dumps,
    expected: Fingerprint,
    *,
    database: str,
    server_version: str,
    restore_server: RestoreServer | None,
    spare: bool = False,
) -> Iterator[Twin]:
    """A copy of the database of that name, whose fingerprint is ``expected``.

    ``server_version`` is what that server calls its own; the copy needs one of the same major
    version. With ``spare`` there is a second one. Raises BackupNotProved where there is none, where
    the dump does not restore and where the copy differs, by name.
    """
    major = expected.server_major
    with fitting_server(expected, major, restore_server) as server:
        if server.major != major:
            raise no_server_of(major, server.major)
        restoring = restored(
            server, dumps.schema, dumps.roles, expected, around=dumps.around, name=database
        )
        with ExitStack() as ends:
            copy = ends.enter_context(restoring)
            if spare:
                copy = with_spare(copy, major)
                ends.callback(copy.connection.close)
            proof = prove_copy(copy, expected)
            reading = copy.reading or read_whole(copy.connection, EVERYTHING)
            schema = reading.fingerprint
            ours = copy.connection.info.parameter_status("server_version") or ""
            limits = _compare_around(expected, schema, same_build=ours == server_version)
            stubs = stubs_of(copy.connection)
            limits += _stand_in(stubs & frozenset(extension_names(schema)))
            yield Twin(
                copy=copy,
                reading=reading,
                dumped=dumps.schema,
                proof=proof,
                limits=limits,
                stubs=stubs,
            )


def _stand_in(stubs: frozenset[str]) -> tuple[str, ...]:
    return tuple(f"a stub on the copy: extension {name}" for name in sorted(stubs))


def without_copy_alone(schema: Fingerprint) -> Fingerprint:
    """A schema without what is on no copy, and without what is on a copy alone."""
    return schema.without(_COPY_ONLY, *(kind.strip() for kind in _NOT_COPIED))


def no_server_of(major: int, found: int) -> BackupNotProved:
    """The error where no server of production's major version is at hand."""
    return BackupNotProved(
        f"production is PostgreSQL {major}, and the server for the copy here is {found}",
        why="what is proved on another major version is not proved for this one",
        fix=f"{how_to_have(major)}, or give one: --hk-twin-server=URL; a promotion or a rollback"
        " can be proved inside production's own transaction instead: --hk-in-place",
    )


def _compare_around(
    expected: Fingerprint, found: Fingerprint, *, same_build: bool
) -> tuple[str, ...]:
    """What of the surroundings is not as in production, and may differ. Raises BackupNotProved."""
    kinds = tuple(f"{kind} " for kind in beyond(Around.NOTHING))
    faults: list[Difference] = []
    limits: list[str] = []
    for each in diff(expected, found):
        if not f"{each.name} ".startswith(kinds) or each.name == _COPY_ONLY:
            continue
        if each.name.startswith(_NOT_COPIED) or each.name == f"settings of role {found.superuser}":
            limits.append(f"not on the copy: {each.name}")
        elif each.name.startswith(_SYSTEM) and not same_build:
            limits.append(f"another build of PostgreSQL: {each.name}")
        elif each.name.startswith("state of constraint "):
            limits.append(f"not on the copy: {each.name}")
        else:
            faults.append(each)
    if faults:
        raise BackupNotProved(
            f"the copy of production differs in what is around the schema: {listed(faults)}",
            why=_WHY,
            fix="undo it in production if nobody wants it; a promotion or a rollback can be proved"
            " inside production's own transaction instead: --hk-in-place",
        )
    return tuple(limits)
