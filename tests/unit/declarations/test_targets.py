"""The table of targets: what is wrong is named, each target has its own, none is taken for two."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.declarations.targets import _OWN, OTHERWISE
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence.finished import finished
from pytest_housekeeping.evidence.production_now import promoted_first
from pytest_housekeeping.evidence.remarks import Remarks
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.model import Mode
from support.evidence_samples import sample
from support.fresh_copy import ROOT

TWO = """[tool.housekeeping]
lock_timeout = "1s"
[tool.housekeeping.targets.preprod]
lock_timeout = "9s"
confirm = "PREPROD"
seeds = true
[tool.housekeeping.targets.eu-west]
env = "EU_"
after = "preprod"
soak = "2h"
"""


def write(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")


def test_each_target_has_its_own(root: Path) -> None:
    write(root, TWO)
    prod, preprod, west = (
        load_config(root, target=name) for name in ("prod", "preprod", "eu-west")
    )

    assert (prod.lock_timeout, preprod.lock_timeout, west.lock_timeout) == ("1s", "9s", "1s")
    assert prod.audit == "ops/audit"
    assert preprod.audit == "ops/preprod/audit"
    assert (prod.target.seeds, preprod.target.seeds, west.target.seeds) == (False, True, False)
    assert (preprod.target.confirm, west.target.confirm) == ("PREPROD", "PROMOTE")
    assert preprod.target.variable("PGHOST") == "PGHOST_PREPROD"
    assert west.target.variable("PGHOST") == "EU_PGHOST"
    assert west.target.pin == "ops/eu-west/target.json"
    # What staging has proved is looked for in all of them.
    folders = {"ops/audit", "ops/preprod/audit", "ops/eu-west/audit"}
    assert set(prod.audit_folders) == set(west.audit_folders) == folders


def test_what_is_proved_goes_first_to_what_comes_first(root: Path) -> None:
    """Not to the target that staging was run for, which would refuse it."""
    write(root, TWO + "[tool.housekeeping.targets.prod]\nafter = 'eu-west'\n")
    known = promoted_first(load_config(root))
    assert (known.begins, known.confirm) == ("--hk-target=preprod", "PREPROD")
    audit = sample(mode=Mode.STAGING, production=known)
    command = "pytest --hk-mode=prod --hk-target=preprod --hk-confirm=PREPROD"
    assert outcome_text(audit).next_steps[0] == f"Merge, then promote (before prod): {command}"
    done = finished(audit, Remarks(told=()), exit_code=0, evidence=None)
    assert done.next.command == "pytest --hk-mode=plan --hk-target=preprod"
    preprod = promoted_first(load_config(root, target="preprod"))
    assert (preprod.begins, preprod.confirm) == ("", "PREPROD")


def test_without_a_table_there_is_production(root: Path) -> None:
    assert load_config(root).targets == {"prod": Target()}
    with pytest.raises(MisuseError, match=r"--hk-target=preprod: there is no such target"):
        load_config(root, target="preprod")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[T.Preprod]", "targets.Preprod: that is no name for a target"),
        ("[T.staging]", "targets.staging: that is no name for a target"),
        ("[T.preprod]\nafetr = 'prod'", "unknown key 'afetr' (did you mean 'after'"),
        ("[T.preprod]\nsql = 'x'", "targets.preprod: unknown key 'sql'"),
        ("[T.preprod]\nconfirm = 'two words'", "no word that can be typed"),
        ("[T.preprod]\nenv = 'a-b'", "no part of a variable's name"),
        ("[T.preprod]\nafter = 'nowhere'", "after = 'nowhere': there is no such target"),
        ("[T.preprod]\nsoak = '2h'", "after names none"),
        ("[T.preprod]\nafter = 'prod'\nsoak = '2 hours'", "soak = '2 hours' is no duration"),
        ("[T.preprod]\nafter = 'prod'\n[T.prod]\nafter = 'preprod'", "after leads back to itself"),
        ("[T.a]\nenv = 'X'\n[T.b]\nenv = 'X'", "targets.b: env: PG*_X are the variables of a"),
        ("[T.preprod]\nenv = 'PROD'", "are the variables of prod as well"),
        ("[T.prod]\nseeds = true", "targets.prod: seeds = true: what is called prod gets no rows"),
        ("[T.production]\nseeds = true", "what is called production gets no rows"),
        ("[T.a]\nenv = 'PROD'\nseeds = true", "targets.a: env: PG*_PROD are the variables of pr"),
        ("[T.a]\nseeds = 'yes'", "seeds = 'yes' is not true or false"),
        ("[T.prod]\nconfirm = true", "confirm = True is not a string"),
        ("[T.preprod]\nlock_timeout = 5", "targets.preprod: lock_timeout = 5 is a whole number"),
        ("[T.preprod]\nlock_timeout = '5'", "targets.preprod: lock_timeout = '5' is no duration"),
    ],
)
def test_what_is_wrong_is_named(root: Path, table: str, words: str) -> None:
    write(root, table.replace("[T.", "[tool.housekeeping.targets."))
    with pytest.raises(MisuseError) as caught:
        load_config(root)
    assert words in str(caught.value)


def test_what_is_wrong_for_all_is_said_once(root: Path) -> None:
    write(root, TWO.replace('"1s"', '"soon"'))
    with pytest.raises(MisuseError) as caught:
        load_config(root)
    assert str(caught.value).count("soon") == 1


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")
    assert [key for key in (*_OWN, *OTHERWISE) if f"`{key}`" not in page] == []
