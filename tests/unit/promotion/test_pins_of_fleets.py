"""Which servers are those of a fleet: staging makes and drops databases on none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.promotion.repository.target_pin import Pin, pins_of_fleets


def test_every_database_that_has_a_pin(tmp_path: Path) -> None:
    fleets = {name: Fleet(name=name, env=name.upper()) for name in ("east", "west")}
    config = Config(root=tmp_path, fleets=fleets)
    assert pins_of_fleets(config) == {}
    for path in ("east/acme", "west/zeta.old", "preprod"):
        (tmp_path / "ops" / path).mkdir(parents=True)
        text = f'{{"system_identifier": "7", "database": "{path}"}}'
        (tmp_path / "ops" / path / "target.json").write_text(text, encoding="utf-8")
    assert pins_of_fleets(config) == {
        f"ops/{path}/target.json": Pin(system_identifier="7", database=path)
        for path in ("east/acme", "west/zeta.old")
    }
    (tmp_path / "ops/east/acme/target.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MisuseError, match=r"acme/target\.json is not what"):
        pins_of_fleets(config)
