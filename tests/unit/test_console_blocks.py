"""The reader of console blocks, and its comparison of what is shown with what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.console_blocks import blocks_of, missing_line


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        (("5 passed in 1.20s",), "== 27 passed in 3s ==", None),
        (("a … c", "d"), "a bb c\nx\nd", None),
        (("one", "two"), "two\none", "two"),
        (("==== 3 passed ====",), "======== 14 passed ========", None),
        (("3 passed",), "3 failed", "3 passed"),
        (
            ("a.sql . …", "b"),
            "a.sql \nstill at a, since 1 (2 s)\n  in its way: x\n.  [ 1%]\nb",
            None,
        ),
        (("a", "b"), "a\nstill at a, since 1 (2 s)\nb", None),
    ],
)
def test_shown_lines_are_compared_loosely_and_in_order(
    shown: tuple[str, ...], output: str, missing: str | None
) -> None:
    assert missing_line(shown, output) == missing


def test_blocks_are_read_with_commands_output_and_reason(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text(
        "# x\n```console\n$ a \\\n  b\nout\n…\n```\n```console no-run: it is slow\n$ c\n```\n"
        "```bash\nd\ne\n```\n```sql\nSELECT 1\n```\n"
    )

    first, second, third = blocks_of(document, tmp_path)

    assert (first.place, first.script, first.shown) == ("x.md:2", "a \\\n  b", ("out",))
    assert (first.no_run, second.no_run) == (None, "it is slow")
    assert third.script == "d\ne"


@pytest.mark.parametrize(
    "block", ["```console no-run\n$ a\n```\n", "```console\nonly output\n```\n"]
)
def test_a_block_that_would_silently_not_run_is_an_error(tmp_path: Path, block: str) -> None:
    (tmp_path / "x.md").write_text(block)

    with pytest.raises(ValueError, match=r"x\.md:1"):
        list(blocks_of(tmp_path / "x.md", tmp_path))
