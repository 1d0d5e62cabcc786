"""Which settings belong to what staging proves, and so to the digest of the plan.

Production takes evidence of the same digest. A setting that gives a text another meaning, or makes
staging ask for less, must therefore be the same in both; one that only says how long to wait, where
something lies or what else production asks for may differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from pytest_housekeeping.config import Config

# True: part of what is proved.
_PROVED: Mapping[str, bool] = {
    "session": True,  # what a text means
    "history_schema": True,  # which schema no file may name
    "mutation_score": True,  # gates that staging alone asks for
    "require_rollback": True,
    "require_rls_contract": False,  # what production asks for, allows or writes by itself
    "lint": False,
    "may_move": False,
    "generated_code": False,
    "running": False,
    "twin": False,
    "require_staging_evidence": False,
    "accepted_evidence_faults": False,
    "evidence_signers": False,
    "approvals": False,
    "approvers": False,
    "incident_on_failure": False,
    "root": False,  # another folder on every machine
    "target": False,  # the same files for all of them
    "targets": False,
    "fleets": False,
    "sql": False,  # the steps have these paths
    "stubs": True,  # what a name of an extension stands for
    "trusted_extensions": True,  # which of them staging lets the migrator make
    "baseline": True,  # what is run as history, and not as a batch
    "platform": True,  # what is there before the first file
    "layout": True,  # what of a text runs
    "placeholders": True,
    "irreversible": True,  # which ways back are tried
    "rows_only": True,  # what of the past is not run
    "as_superuser": True,  # what of it runs as a superuser
    "migrations": False,
    "tool_history": False,  # where production is asked once what it has
    "checks": False,
    "audit": False,
    "migrator": False,  # of the throwaway server; its version is in the audit
    "server": False,
    "server_version": False,
    "lock_timeout": False,  # how long production may be kept waiting
    "lock_attempts": False,
    "statement_timeout": False,
    "idle_timeout": False,
    "lock_wait": False,
    "question_timeout": False,
    "question_role": False,
    "max_locks_held": False,
    "long_transaction": False,  # what else may go on in production meanwhile, and when
    "max_replica_lag": False,
    "activity_wait": False,
    "window": False,
    "small_table_mb": False,  # how grave a finding on the batch is there
    "large_table_mb": False,
    "hot_table_writes": False,
    "lock_window_statements": False,
    "known_days": False,  # production takes over nothing
}


def is_proved(key: str) -> bool:
    """Whether a setting belongs to the digest; one that nobody has decided on does."""
    return _PROVED.get(key, True)


def proved_settings(config: Config) -> Iterator[str]:
    """A line for each such setting that is not its default, in the order of their names."""
    for field in sorted(fields(config), key=lambda each: each.name):
        value = getattr(config, field.name)
        if is_proved(field.name) and value != _default(field):
            yield f"setting {field.name} {json.dumps(value, sort_keys=True, default=asdict)}"


def _default(field: Any) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
