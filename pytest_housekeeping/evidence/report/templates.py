"""The Jinja templates of the report: every value they show is text, and can be nothing else.

Autoescape turns what HTML would read as markup into text, and ``finalize`` writes out what a
screen would obey (``display.visible``), for every ``{{ value }}`` of every template. Only what a
template wrote itself is Markup already and passes unchanged.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.report import display

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_FOLDER = Path(__file__).parent


@cache
def template(name: str) -> Template:
    """A template beside this module, compiled once. The first call imports jinja2."""
    return _environment().get_template(name)


def render_macro(name: str, macro: str, *arguments: object) -> str:
    """One macro of a template, for a piece of the page. A plain string: Markup splits slowly."""
    return str(getattr(template(name).module, macro)(*arguments))


def escaped(text: str) -> str:
    """The text as HTML that can be nothing but text."""
    from markupsafe import escape

    return str(escape(display.visible(text)))


def stylesheet() -> str:
    """The styles of the report, as HTML that is taken as it is."""
    from markupsafe import Markup

    # The file is the package's own: there is no text of the project's in it.
    return Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))  # noqa: S704


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else display.visible(str(value))

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": display.duration,
        "plural": display.plural,
        "number": "{:,}".format,
    }
    return environment
