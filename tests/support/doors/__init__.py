"""Ways past the policies: as whom code acts, ways in, who connects, what leaves by a side door.

Each planted case is shown to leak by acting as the application, before any rule is asked; each
sound one looks like one of them."""

from dataclasses import replace

from support.doors import acting, connecting, side_doors, ways_in
from support.doors.ground import (
    ACTS,
    BESIDE,
    BOUNDARIES,
    CONNECTS,
    CONTRACT,
    LAID,
    OUT,
    SIDE,
    WAYS,
    Door,
    Sound,
)

_KINDS = ((ACTS, acting), (WAYS, ways_in), (CONNECTS, connecting), (SIDE, side_doors))
DOORS = tuple(replace(door, kind=kind) for kind, module in _KINDS for door in module.DOORS)
SOUND = tuple(replace(sound, kind=kind) for kind, module in _KINDS for sound in module.SOUND)

__all__ = [
    "ACTS",
    "BESIDE",
    "BOUNDARIES",
    "CONNECTS",
    "CONTRACT",
    "DOORS",
    "LAID",
    "OUT",
    "SIDE",
    "SOUND",
    "WAYS",
    "Door",
    "Sound",
]
