"""The digest of a plan: one text that says which part of it is another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.plan.binding import CALLED, PARTS, BoundParts, refuse_malformed

HERE = BoundParts(
    files=("runs in 1 (batch): sql/migrations/0001_a.sql abc",),
    history=(),
    checks=("checks/objects.toml def",),
    code=(),
    settings=('TimeZone "UTC"',),
    options=("baseline None",),
    target=("system identifier 7000000000000000001, timeline 1",),
    before=("a" * 64,),
    after=("b" * 64,),
    version=("1.0",),
)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_otherwise_is_named_and_nothing_else(part: str) -> None:
    lines = getattr(HERE, part)
    others = [(*lines, "one more"), lines[1:], tuple(f"{line} " for line in lines)]
    for changed in (other for other in others if other != lines):
        there = replace(HERE, **{part: changed})
        assert HERE.unlike(there.digest) == (part,)
        assert there.unlike(HERE.digest) == (part,)
    assert CALLED[part]


def test_the_same_has_the_same_digest_and_a_line_is_no_two_lines() -> None:
    assert HERE.unlike(replace(HERE).digest) == ()
    one, two = replace(HERE, code=("a\nb",)), replace(HERE, code=("a", "b"))
    assert one.unlike(two.digest) == ("code",)


def test_several_parts_are_all_named_in_their_order() -> None:
    there = replace(HERE, version=("2.0",), before=("c" * 64,), history=("1 migration a b",))
    assert HERE.unlike(there.digest) == ("history", "before", "version")


def test_the_digest_decides_and_not_the_short_forms() -> None:
    whole, _, short = HERE.digest.partition("-")
    other = whole.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    assert HERE.unlike(f"{other}-{short}") == ("a part that its short form does not tell",)


def test_of_a_digest_with_other_parts_the_version_is_told() -> None:
    assert HERE.unlike(HERE.digest[:-6]) == ("version",)
    assert HERE.unlike(HERE.digest + "0" * 6) == ("version",)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        HERE.digest[:64],
        HERE.digest[:65],
        HERE.digest.upper(),
        HERE.digest[:-1],
        HERE.digest + "0",
        f"{HERE.digest}\n",
        f" {HERE.digest}",
        HERE.digest.replace("-", ""),
        HERE.digest[1:],
        f"sha256:{HERE.digest}",
    ],
)
def test_what_no_plan_has_printed_is_misuse(given: str) -> None:
    refuse_malformed(HERE.digest, "--hk-plan")
    with pytest.raises(MisuseError) as raised:
        refuse_malformed(given, f"--hk-plan={given}")
    assert f"--hk-plan={given}: that is no digest of a plan" in str(raised.value)
    assert "fix: copy it whole" in str(raised.value)
