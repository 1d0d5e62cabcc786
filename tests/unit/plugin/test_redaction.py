"""What the terminal gets: no secret, nothing that it or a CI would obey."""

from __future__ import annotations

import io

import pytest

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.plugin.redaction import GuardedFile

PASSWORD = "correct-horse-7-battery-STAPLE"


def written(*texts: str, colours: bool = False) -> str:
    file = io.StringIO()
    guarded = GuardedFile(file, Secrets([PASSWORD]), colours=colours)
    for text in texts:
        guarded.write(text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (("::error::gone\n",), ": :error::gone\n"),
        (("a\n  ::add-mask::x\nb",), "a\n  : :add-mask::x\nb"),
        (("  ", "\t", "::stop-commands::x"), "  \t: :stop-commands::x"),
        (("end\n", "::warning::x"), "end\n: :warning::x"),
        (("##[error]gone and ##[group]",), "## [error]gone and ## [group]"),
        (("\x1b[2J\x1b]0;title\x07",), "\\x1b[2J\\x1b]0;title\\x07"),
        (("over\rwritten\x08\x7f",), "over\\rwritten\\x08\\x7f"),
        (("\u202egnp.exe",), "\\u202egnp.exe"),
        ((f"refused with {PASSWORD}\n",), "refused with [secret]\n"),
    ],
)
def test_what_would_be_obeyed_is_written_out(texts: tuple[str, ...], shown: str) -> None:
    assert written(*texts) == shown


@pytest.mark.parametrize(
    "text",
    ["sql/a.sql::apply PASSED\n", "E   ::error::x\n", "a :: b\n", "größer → 日本\n", "\n\n", ""],
)
def test_what_is_ordinary_stays_as_it_is(text: str) -> None:
    assert written(text) == text


def test_a_line_that_was_begun_is_no_command() -> None:
    assert written("checks/test_a.py", "::test_it ", "PASSED\n") == (
        "checks/test_a.py::test_it PASSED\n"
    )


def test_colours_pass_where_there_are_some_and_nothing_else_does() -> None:
    text = "\x1b[31;1mred\x1b[0m\x1b[2J\r\n"
    assert written(text, colours=True) == "\x1b[31;1mred\x1b[0m\\x1b[2J\n"
    assert written("\rcollecting", colours=True) == "\rcollecting"


def test_what_is_meant_to_be_obeyed_is_and_holds_no_secret() -> None:
    file = io.StringIO()
    GuardedFile(file, Secrets([PASSWORD]), colours=False).obeyed(f"::error::{PASSWORD}\n")
    assert file.getvalue() == "::error::[secret]\n"
