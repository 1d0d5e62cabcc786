"""The room says of each of its modules what it is for."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping import evidence


def test_every_module_is_in_the_list() -> None:
    folder = Path(str(evidence.__file__)).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    missing = [name for name in modules | packages if f"``{name}``" not in str(evidence.__doc__)]
    assert missing == []
