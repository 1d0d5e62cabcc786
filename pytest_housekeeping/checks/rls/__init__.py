"""Row-level security: the rules, proofs and exemptions of ``rls.toml``, judged on the schema as it
stands."""

from pytest_housekeeping.checks.rls.scope import verify_scope
from pytest_housekeeping.checks.rls.verdict import (
    AskedBefore,
    evaluate_rules,
    judge_rule,
    known_tables,
    verify_exemption,
    verify_rule,
)

__all__ = [
    "AskedBefore",
    "evaluate_rules",
    "judge_rule",
    "known_tables",
    "verify_exemption",
    "verify_rule",
    "verify_scope",
]
