"""What may differ at a baseline: of every database, or of the ones that an entry names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config, Fleet, Target
from pytest_housekeeping.declarations.baseline_drift import accepted_drift, only_of
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.project_files import ProjectFiles

TEXT = """
[[accepted]]
object = "index shop.by_hand"
reason = "made in an incident"
targets = ["tenants/acme"]

[[accepted]]
object = "index shop.by_hand"
reason = "the same one there"
targets = ["prod", "tenants/zeta"]

[[accepted]]
object = "schema public"
reason = "the provider grants it"
"""


def config_of(root: Path, text: str, target: str) -> Config:
    (root / "checks").mkdir(exist_ok=True)
    (root / "checks/baseline_drift.toml").write_text(text)
    fleets = {"tenants": Fleet(name="tenants", env="TENANTS")}
    return Config(root=root, target=Target(name=target), fleets=fleets)


@pytest.mark.parametrize(
    ("target", "reasons"),
    [
        ("tenants/acme", ["made in an incident", "the provider grants it"]),
        ("prod", ["the same one there", "the provider grants it"]),
        ("tenants/beta", ["the provider grants it"]),
    ],
)
def test_an_entry_is_about_those_that_it_names(
    tmp_path: Path, target: str, reasons: list[str]
) -> None:
    config = config_of(tmp_path, TEXT, target)
    assert [*accepted_drift(config, ProjectFiles(tmp_path)).values()] == reasons
    assert only_of(config) == f'targets = ["{target}"]'
    assert only_of(replace(config, fleets={})) == ""


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXT.replace("tenants/zeta", "tennants/zeta"), "prod")
    with pytest.raises(MisuseError, match=r"there is no target 'tennants/zeta'.*'tenants'"):
        accepted_drift(config, ProjectFiles(tmp_path))


def test_one_object_twice_for_one_database(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXT + TEXT, "prod")
    with pytest.raises(MisuseError, match=r"names index shop\.by_hand once more"):
        accepted_drift(config, ProjectFiles(tmp_path))
