"""What a batch has made of two databases is compared by what has changed, not by what stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server
from pytest_housekeeping.snapshot.compare.batches import (
    SchemaChange,
    UnlikeChange,
    unlike_changes,
    with_changes,
)
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

WORD = "CREATE TABLE public.word (w varchar, n int);"
# As a person writes it, and as PostgreSQL prints it: printed once more, it is another text.
WRITTEN = "ALTER TABLE public.word ADD CONSTRAINT few CHECK (w IN ('a', 'b'));"
PRINTED = (
    "ALTER TABLE public.word ADD CONSTRAINT few CHECK ((w)::text = ANY"
    " ((ARRAY['a'::character varying, 'b'::character varying])::text[]));"
)
OTHER = "ALTER TABLE public.word ADD CONSTRAINT few CHECK (w IN ('a', 'c'));"
NOTHING = "SELECT;"


@dataclass(frozen=True, kw_only=True)
class Two:
    """A copy, which keeps what is done to it, and an original, in a transaction."""

    copy: Connection
    original: Connection

    def unlike(
        self,
        copied: str,
        made: str,
        *,
        before: str = WORD,
        past: str = "",
        may_move: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[UnlikeChange, ...]:
        """What is unlike after both got their statements; ``past`` is what the original had."""
        copy = _change(self.copy, before, copied)
        original = _change(self.original, past or before, made)
        unlike = unlike_changes(self.copy, copy, original, may_move=may_move)
        # What was foreseen is never another schema that would pass for the one that is there.
        foreseen = with_changes(original.before, copy)
        assert not unlike or foreseen.digest != original.after.digest
        if copied == made and not past:
            assert foreseen == original.after
        return unlike


def _change(connection: Connection, before: str, batch: str) -> SchemaChange:
    connection.execute(before.encode())
    old = read_fingerprint(connection, exclude_schemas=())
    connection.execute(batch.encode())
    return SchemaChange(before=old, after=read_fingerprint(connection, exclude_schemas=()))


@pytest.fixture(scope="module")
def other(server: Server) -> Iterator[Connection]:
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        yield connection
    server.drop(database)


@pytest.fixture
def two(superuser: Connection, other: Connection) -> Iterator[Two]:
    other.execute("BEGIN")
    try:
        yield Two(copy=superuser, original=other)
    finally:
        other.execute("ROLLBACK")


@pytest.mark.parametrize(
    "batch",
    [
        NOTHING,
        "CREATE TABLE public.more (id int PRIMARY KEY); DROP TABLE public.word;",
        "ALTER TABLE public.word RENAME n TO number; GRANT SELECT ON public.word TO PUBLIC;",
        WRITTEN,
    ],
)
def test_one_batch_makes_the_same_of_both(two: Two, batch: str) -> None:
    assert two.unlike(batch, batch) == ()


@pytest.mark.parametrize(
    ("copied", "made", "name", "there", "here"),
    [
        pytest.param(
            NOTHING,
            "CREATE SEQUENCE public.s;",
            "sequence public.s",
            "left as it was",
            "made: ",
            id="made in production alone",
        ),
        pytest.param(
            "CREATE SEQUENCE public.s;",
            NOTHING,
            "sequence public.s",
            "made: ",
            "left as it was",
            id="made on the copy alone",
        ),
        pytest.param(
            "DROP TABLE public.word;",
            NOTHING,
            "table public.word",
            "dropped",
            "left as it was",
            id="dropped on the copy alone",
        ),
        pytest.param(
            "ALTER TABLE public.word ALTER n SET NOT NULL;",
            "ALTER TABLE public.word ALTER n SET DEFAULT 1;",
            "column public.word.n",
            "not null",
            "default: 1",
            id="changed otherwise",
        ),
        pytest.param(
            WRITTEN,
            OTHER,
            "constraint few on public.word",
            "'b'",
            "'c'",
            id="of the same name, and another expression",
        ),
    ],
)
def test_what_became_something_else_is_told_with_both(
    two: Two, copied: str, made: str, name: str, there: str, here: str
) -> None:
    told = {each.name: each for each in two.unlike(copied, made)}
    assert told.keys() >= {name}
    assert there in told[name].copy
    assert here in told[name].original
    assert f"on the copy: {told[name].copy}" in str(told[name])


def test_two_spellings_of_one_expression_are_one(two: Two) -> None:
    """What PostgreSQL reads as one counts as one, whichever of them the copy has."""
    assert two.unlike(WRITTEN, PRINTED) == ()


def test_what_the_batch_leaves_alone_keeps_the_text_that_it_has(two: Two) -> None:
    """Another past: a view over a column that was renamed, a constraint in another spelling."""
    view = "CREATE VIEW public.v AS SELECT n AS n FROM public.word;"
    past = f"{WORD}{WRITTEN}CREATE VIEW public.v AS SELECT w AS n FROM public.word;"
    batch = "CREATE TABLE public.more (id int); ALTER TABLE public.word ALTER n SET NOT NULL;"
    assert two.unlike(batch, batch, before=f"{WORD}{PRINTED}{view}", past=past) == ()


def test_of_what_differed_before_the_change_counts(two: Two) -> None:
    before = f"{WORD}ALTER TABLE public.word ALTER n SET STATISTICS 7;"
    batch = "ALTER TABLE public.word ALTER n SET NOT NULL;"
    assert two.unlike(batch, batch, before=before, past=WORD) == ()
    unlike = two.unlike(
        "ALTER TABLE public.word ALTER n SET DEFAULT 1;",
        "ALTER TABLE public.word ALTER n SET DEFAULT 2;",
        before=NOTHING,
    )
    assert [each.name for each in unlike] == ["column public.word.n"]


def test_where_both_end_alike_the_beginning_does_not_count(two: Two) -> None:
    """What is on no copy has to go: an index that a build has left invalid, and is built again."""
    batch = "DROP INDEX IF EXISTS public.i; CREATE INDEX i ON public.word (n);"
    index = "CREATE INDEX i ON public.word (n);"
    failed = "UPDATE pg_index SET indisvalid = false, indisready = false"
    left = f"{WORD}{index}{failed} WHERE indexrelid = 'i'::regclass;"
    assert two.unlike(batch, batch, past=left) == ()
    assert [str(each) for each in two.unlike(NOTHING, NOTHING, before=NOTHING)] == []
    (gone, *_) = two.unlike(NOTHING, "DROP INDEX public.i;", before=NOTHING)
    assert gone.original == "dropped"


def test_what_moves_by_itself_meanwhile(two: Two) -> None:
    """Another database's role counts for nothing; one of this database is named or declared."""
    here = "CREATE ROLE hk_same_here; GRANT SELECT ON public.word TO hk_same_here;"
    assert two.unlike(NOTHING, "CREATE ROLE hk_same_elsewhere;") == ()
    moving = "ALTER ROLE hk_same_here CONNECTION LIMIT 3;"
    reason = {"limits of role hk_same_here": "renewed daily"}
    assert two.unlike(NOTHING, moving, before=NOTHING, past=here, may_move=reason) == ()
    (unlike,) = two.unlike(NOTHING, "ALTER ROLE hk_same_here CONNECTION LIMIT 4;", before=NOTHING)
    assert unlike.name == "limits of role hk_same_here"


EACH_TENANT = """
DO $$
DECLARE tenant text;
BEGIN
    FOR tenant IN
        SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 'tenant\\_%' ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE %I.bill ADD COLUMN note text', tenant);
    END LOOP;
END $$;
"""


def test_a_tenant_that_was_made_since_the_copy_is_refused_where_the_batch_changes_it(
    two: Two,
) -> None:
    """It may come and go, and what is made of it was tried nowhere."""
    one, another = (
        f"CREATE SCHEMA {name}; CREATE TABLE {name}.bill (id int);"
        for name in ("tenant_a", "tenant_b")
    )
    likes = {"schemas like tenant_a": "one a tenant"}
    unlike = two.unlike(
        EACH_TENANT, EACH_TENANT, before=one, past=f"{one}{another}", may_move=likes
    )
    assert ("column tenant_b.bill.note", "left as it was") in [
        (each.name, each.copy) for each in unlike
    ]
    assert not [each.name for each in unlike if "tenant_a" in each.name]
