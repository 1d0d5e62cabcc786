"""The backup of before a promotion, restored to compare with what a rollback makes."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field

from pytest_housekeeping.config import Stub
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.snapshot.compare.difference import Difference, diff
from pytest_housekeeping.snapshot.copies.proof import BackupProof, compare, fitting_server
from pytest_housekeeping.snapshot.copies.restore import Copy, restored
from pytest_housekeeping.snapshot.copies.server import RestoreServer, start_restore_server
from pytest_housekeeping.snapshot.copies.twin import Twin
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.extensions import extension_names
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql.identifiers import unquoted

_BESIDE = "hk_before"
_ROLE = re.compile(rb'^CREATE ROLE ("(?:[^"]|"")*") WITH [^\n]*;$', re.MULTILINE)


@dataclass(kw_only=True)
class BackupCopy:
    """The restored backup. It has a server of its own, which may have ``stubs``, until the end.

    Where a server was ``given``, the copy of production needs that one too, and it holds one copy
    at a time. So the backup is restored there, read and dropped; it is restored once more beside
    the copy of production only where PostgreSQL has to say whether two texts mean the same.
    """

    given: RestoreServer | None = None
    stubs: tuple[Stub, ...] = ()
    _schema: bytes = field(default=b"", repr=False)
    _roles: bytes = field(default=b"", repr=False)
    _copy: Copy | None = None
    _found: Fingerprint | None = None
    _ends: ExitStack = field(default_factory=ExitStack, repr=False)

    def restore(
        self, schema: bytes, roles: bytes, now: Fingerprint, excluded: tuple[str, ...]
    ) -> None:
        """Restore it, on a server that has the extensions of ``now``; it is compared without the
        schemas ``excluded``.

        Raises BackupNotProved for one that does not restore.
        """
        self._schema, self._roles = schema, roles
        if self.given is None:
            names = frozenset(extension_names(now))
            server = start_restore_server(now.server_major, names, stubs=self.stubs)
            self._ends.callback(server.close)
            self._copy = self._ends.enter_context(restored(server, schema, roles, now))
            return
        with (
            fitting_server(now, now.server_major, self.given) as server,
            restored(server, schema, roles, now) as copy,
        ):
            self._copy = copy
            self._found = read_fingerprint(
                copy.connection, exclude_schemas=excluded, around=Around.NOTHING
            )

    def compare(
        self, now: Fingerprint, twin: Twin | None
    ) -> tuple[tuple[Difference, ...], BackupProof]:
        """In what the schema ``now`` is not the backup's. Raises ProofFailed without a copy."""
        if self._copy is None:
            raise ProofFailed("the backup was not restored", why="there is nothing to compare with")
        found = self._found
        if self.given is None or found is None:
            return compare(self._copy, now)
        if not diff(*(each.with_no_more(Around.NOTHING) for each in (found, now))):
            return compare(self._copy, now, found=found)
        with ExitStack() as ends:
            if twin is None:
                again = restored(self.given, self._schema, self._roles, now)
            else:
                roles = dict(_made(self._roles))
                again = twin.restored_beside(self._schema, now, name=_BESIDE, roles=roles)
            return compare(ends.enter_context(again), now, found=found)

    def close(self) -> None:
        self._ends.close()


def _made(roles: bytes) -> list[tuple[str, bytes]]:
    """The roles that a dump of roles creates, each with its CREATE ROLE."""
    return [(unquoted(found[1].decode()), found[0]) for found in _ROLE.finditer(roles)]
