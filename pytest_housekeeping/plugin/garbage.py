"""How often Python looks for garbage in an active run: a run makes much, and lets little of it go.

https://docs.python.org/3/library/gc.html
"""

from __future__ import annotations

import gc
from functools import partial

import pytest

_COLLECTED_FROM = 50_000


def collect_seldom(config: pytest.Config) -> None:
    """From before the modules of a run are imported until pytest takes its configuration down.

    What is imported stays, and so does most of what comes: a schema of 1,600 tables is some hundred
    thousand objects. Looking through it again and again takes longer than the plan.
    """
    config.add_cleanup(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(_COLLECTED_FROM)


def pass_over_what_is_there(config: pytest.Config) -> None:
    """What is there by now is looked through no more; nor, at the end, by pytest and by Python
    behind it, what is left then: it goes with the process."""
    gc.freeze()
    config.add_cleanup(gc.freeze)
