"""Cases written by somebody who had only the list of kinds, before any rule was read; those of
``again`` by somebody who had read some of them; ``climbing``, ``further``, ``later`` and
``since`` came later; those of ``still`` are told by none.

Each planted one is shown to do harm by acting as the application, before a rule is asked."""

from support.blind import (
    acting,
    again,
    climbing,
    comparing,
    further,
    later,
    leaving,
    reaching,
    since,
)
from support.blind.ground import BOUNDARIES, CONTRACT, GROUND, OUT, Planted, Sound

_KINDS = (acting, comparing, reaching, leaving, again, climbing, further, later, since)
PLANTED = tuple(each for kind in _KINDS for each in kind.PLANTED)
SOUND = tuple(each for kind in _KINDS for each in kind.SOUND)

__all__ = ["BOUNDARIES", "CONTRACT", "GROUND", "OUT", "PLANTED", "SOUND", "Planted", "Sound"]
