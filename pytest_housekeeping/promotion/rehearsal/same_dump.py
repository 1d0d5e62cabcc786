"""The dump of the schema of after: the copy's own, where production's would be the same.

What the batch has made of the copy was dumped to be restored beside it. Of that dump everything but
what the batch concerns is, byte for byte and in its order, the dump of production of before
(`snapshot.changed_part`). Where production is behind COMMIT the schema that the copy is, in each
word of what PostgreSQL prints, pg_dump would write the same of it.
"""

from __future__ import annotations

from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.snapshot.copies.twin import without_copy_alone
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


def dump_of_both(rehearsal: Rehearsal, committed: Fingerprint) -> bytes | None:
    """The dump of the copy's result, where ``committed``, the schema of production as it was read
    behind COMMIT, is that of the copy; None where it is not, or where that was not shown."""
    last = max(rehearsal.changes, default=0)
    dump, restored = rehearsal.dumping, rehearsal.restoring
    if not last or dump is None or restored is None or restored.exception() is not None:
        return None
    twin, proof = rehearsal.target.twin, restored.result()
    if proof.restored is None or twin.limits or twin.proof.limits:
        return None
    copied = without_copy_alone(rehearsal.changes[last].after)
    return dump.result() if without_copy_alone(committed).is_as(copied) else None
