"""tern: ``007_name.sql`` by number, the way back below ``---- create above / drop below ----``.

https://github.com/jackc/tern#migrations
"""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_housekeeping.sql.layouts.layout import Ground, Layout, Reading
from pytest_housekeeping.sql.layouts.placeholders import replaced
from pytest_housekeeping.sql.layouts.two_halves import Halves
from pytest_housekeeping.sql.problems import Problem

CONF = "tern.conf"
_NAME = re.compile(r"(\d+)_.+\.sql")
_DOWN = re.compile(r"---- create above / drop below ----")
_OUTSIDE = re.compile(r"^---- tern: disable-tx ----\r?$", re.MULTILINE)
# Of its templates the values alone are read; what else they may say is refused where it stands.
_VALUE = re.compile(r"\{\{-?[ \t]*\.([A-Za-z_]\w*)[ \t]*-?\}\}")
_TEMPLATE = re.compile(r"\{\{[^\n]*?\}\}")

_HALVES = Halves(
    tool="tern",
    name=_NAME,
    up=re.compile(r"(?!)"),
    down=_DOWN,
    up_mark="",
    # Wherever it stands, it is meant for both halves.
    outside=lambda text, _: _OUTSIDE.search(text) is not None,
    up_optional=True,
)


def _reading(ground: Ground, path: str, text: str) -> Reading:
    half = _HALVES.reading(ground, path, text)
    if "{{" not in half.text:
        return half
    values = replaced(
        _VALUE.sub(r"{{.\1}}", half.text), ground.config.placeholders, around=("{{.", "}}")
    )
    problems = [
        Problem.at(
            values.text,
            found.start(),
            f"{found[0]} is a template of tern",
            "it puts text into the file when it runs, which nothing here does",
            "write that text in its place, and let tern run the file so from now on",
            unreadable=True,
        )
        for found in _TEMPLATE.finditer(values.text)
        if not _VALUE.fullmatch(found[0])
    ]
    return replace(half, text=values.text, problems=(*half.problems, *values.problems, *problems))


LAYOUT = Layout(
    name="tern",
    tool="tern",
    listing=_HALVES.listing,
    reading=_reading,
    marks=("tern",),
    outside_mark="---- tern: disable-tx ----",
)
