"""The engine of rules: the query of a .sql file evaluated over a scope, and statements tried as a
role."""

from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.checks.rules.batch import evaluate_batch
from pytest_housekeeping.checks.rules.declared_names import missing_names, roles_out_of_reach
from pytest_housekeeping.checks.rules.evaluation import Evaluation, evaluate, findings_of
from pytest_housekeeping.checks.rules.scope import (
    RuleScope,
    boundary_scope,
    rls_scope,
    run_readonly,
    scoped_query,
)

__all__ = [
    "Attempt",
    "AttemptResult",
    "Evaluation",
    "RuleScope",
    "attempt_all",
    "boundary_scope",
    "evaluate",
    "evaluate_batch",
    "findings_of",
    "missing_names",
    "rls_scope",
    "roles_out_of_reach",
    "run_readonly",
    "scoped_query",
]
