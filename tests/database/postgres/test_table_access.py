"""What changes for whom, and what stays beside it."""

from __future__ import annotations

from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.table_access import access_changes, access_kept, read_access


def test_what_stays_is_told_of_relations_that_change_and_of_no_others(
    superuser: LentConnection,
) -> None:
    superuser.execute(
        "CREATE ROLE hk_reads; CREATE ROLE hk_writes; CREATE SCHEMA desk;"
        " GRANT USAGE ON SCHEMA desk TO hk_reads, hk_writes;"
        " CREATE TABLE desk.note (id int); CREATE TABLE desk.other (id int);"
        " GRANT SELECT ON desk.note, desk.other TO hk_reads;"
        " GRANT SELECT, INSERT ON desk.note TO hk_writes"
    )
    before = read_access(superuser, but="housekeeping")
    superuser.execute(
        "GRANT DELETE ON desk.note TO hk_writes; REVOKE INSERT ON desk.note FROM hk_writes"
    )
    after = read_access(superuser, but="housekeeping")
    changes = access_changes(before, after)
    assert {(e.role, e.relation, e.commands, e.before, e.after) for e in changes} == {
        ("hk_writes", "desk.note", "INSERT", "all rows", ""),
        ("hk_writes", "desk.note", "DELETE", "", "all rows"),
    }
    kept = access_kept(before, after, changes)
    assert {(e.role, e.relation, e.commands) for e in kept if e.role.startswith("hk_")} >= {
        ("hk_reads", "desk.note", "SELECT"),
        ("hk_writes", "desk.note", "SELECT"),
    }
    assert all(e.before == e.after for e in kept)
    assert "desk.other" not in {e.relation for e in kept}
    assert access_kept(before, before, access_changes(before, before)) == ()
