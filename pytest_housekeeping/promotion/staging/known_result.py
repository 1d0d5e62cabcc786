"""Results of staging that an earlier run of this machine has restored, by all that has a part."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from pytest_housekeeping.checks.json_cache import default_folder
from pytest_housekeeping.postgres.own_tables.tables import TABLES
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import facts_of_staging, kept_verdicts, recent
from pytest_housekeeping.promotion.known_restores import KnownRestores
from pytest_housekeeping.promotion.staging.restored_before import RestoredBefore
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.dumps.dump import without_restriction
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.text import digest_of_facts

_ROWS = rb"COPY [^\n]* FROM stdin;\n(?:.*\n)*?\\\.\n"
_POSITION = re.compile(
    rb"^(?:(%b)|SELECT pg_catalog\.setval\('[^\n]*', \d+, (?:true|false)\);\n)" % _ROWS,
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class KnownResult:
    """Dumps of the result of this run."""

    context: RunContext
    throwaway: Throwaway

    def restores(
        self, dump: bytes, expected: Fingerprint, prove: Callable[[], BackupProof]
    ) -> BackupProof:
        """That a dump restores to the schema as the run has read it: known, or proved now.

        It depends on the tool, the server's build, the settings, what a superuser has done to the
        server, the schema and what is around it, and the dump with all rows but those of
        the history, which are others in each run and meet nothing but its own tables. Where a
        sequence stands does not count: a check that has made up rows has moved it for good.
        """
        text = without_history(dump, self.context.config.history_schema)
        if text is None or self.throwaway.kind == "given":
            return prove()
        context, name = self.context, "results"
        facts = facts_of_staging(context)
        key = digest_of_facts([*facts, "before"])
        before = RestoredBefore(folder=default_folder(name), key=key, recent=recent(context))
        same = [expected.digest, sha256(without_positions(text)).hexdigest()]
        started = context.run.started_at
        known = KnownRestores(
            kept=kept_verdicts(context, name, [*facts, *same]),
            server_major=expected.server_major,
            at=started,
        )

        def prove_what_is_other() -> BackupProof:
            last = before.read()
            part = last.proves(self.throwaway.server, text, expected) if last else None
            proof = prove() if last is None or part is None else replace(part, since=last.since)
            if not proof.limits:
                before.keep(text, expected, proof.since or started)
            return proof

        return known.read() or known.keep(prove_what_is_other())


def without_history(dump: bytes, schema: str) -> bytes | None:
    """The dump without the rows of the own tables; None where what looks like these is there more
    than once, so that nothing else is left out. A key that is made of them is left out as well."""
    dump = without_restriction(dump)
    for name in TABLES:
        table = re.escape(quoted(schema, name).encode())
        rows = re.compile(
            rb"^COPY %b \([^\n]*\) FROM stdin;\n(?:.*\n)*?\\\.\n" % table, re.MULTILINE
        )
        dump, count = rows.subn(b"", dump)
        if count != 1:
            return None
    return dump


def without_positions(dump: bytes) -> bytes:
    """The dump without the statements that set a sequence; a row that looks like one is a row. In
    the text of a function it is left out as well, but the schema has that."""
    return _POSITION.sub(lambda found: found[1] or b"", dump)
