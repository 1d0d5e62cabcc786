"""What the proofs of a contract stand on: whom they ask, and what is protected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofGround:
    """``context`` is what sessions say of an identity, ``known`` are all protected tables, as they
    stand now: policies may read them."""

    connection: Connection
    context: Sequence[Claim]
    known: Sequence[ProtectedTable]
    context_only: ContextOnly

    @property
    def functions(self) -> Functions:
        """Those of the project that policies call."""
        return self.context_only.functions
