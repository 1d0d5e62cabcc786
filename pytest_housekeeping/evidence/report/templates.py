"""The Jinja templates of the reports: every value they show is text, and can be nothing else.

``finalize`` and, for HTML, autoescape take every ``{{ value }}`` of every template: they write out
what a screen would obey (``display.visible``) and turn what HTML or Markdown would read as markup
into text. Only what a template wrote itself (Markup) and lines of a code block pass as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.report import display
from pytest_housekeeping.evidence.report.findings_view import age
from pytest_housekeeping.evidence.report.wording import outcome_word
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_FOLDER = Path(__file__).parent


@cache
def template(name: str) -> Template:
    """A template beside this module, compiled once. The first call imports jinja2."""
    environment = _markdown() if name.endswith(".md.jinja") else _html()
    return environment.get_template(name)


def escaped(text: str) -> str:
    """The text as HTML that can be nothing but text."""
    from markupsafe import escape

    return str(escape(display.visible(text)))


def markup(html: str) -> str:
    """Text in which nothing is left that a browser would take for markup but what is meant as that;
    a template takes it as it is."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704


def own_text(name: str) -> str:
    """A file beside this module as HTML: styles or a script, without any text of the project's."""
    return markup((_FOLDER / name).read_text(encoding="utf-8"))


class _CodeLine(str):
    """A line of a code block, which is shown without being read as Markdown."""

    __slots__ = ()


@cache
def _html() -> Environment:
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else display.visible(str(value))

    environment = _environment(autoescape=True)
    environment.finalize = finalize
    return environment


@cache
def _markdown() -> Environment:
    def finalize(value: Any) -> str:
        if isinstance(value, _CodeLine):
            return value
        return display.one_line(str(value)).replace("|", "\\|").replace("<", "&lt;")

    environment = _environment(autoescape=False)
    environment.finalize = finalize
    return environment


def _environment(*, autoescape: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=autoescape,  # noqa: S701 - Markdown has an escape of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": display.duration,
        "plural": display.plural,
        "number": "{:,}".format,
        "bytes": display.byte_size,
        "day": _day,
        "moment": _moment,
        "stem": stem,
        "age": age,
        "word": lambda outcome, mode: outcome_word(mode, outcome),
        "lines": lambda text: [_CodeLine(line) for line in display.visible(text).splitlines()],
    }
    return environment


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
