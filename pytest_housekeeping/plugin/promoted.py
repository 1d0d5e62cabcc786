"""Whether staging has committed all of it, so that the tests of applications run."""

from __future__ import annotations

from pytest_housekeeping.promotion.engine import Promotion


def is_promoted(promotion: Promotion) -> bool:
    context = promotion.run.context
    last = context.plan.segments[-1].number
    return context.rules.throwaway and last in promotion.commits.segments
