"""What the linter would not read is named to it at adoption, wherever its tool keeps it."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.promotion.init import green
from pytest_housekeeping.promotion.init.written import Written
from support.files import write

LARGE = "-- rows\n" * 3000 + "SELECT 1;\n"


def test_large_files_of_another_tool_and_their_seeds(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[tool.housekeeping]\n",
        "supabase/migrations/20260101000000_small.sql": "SELECT 1;\n",
        "supabase/migrations/20260102000000_large.sql": LARGE,
        "supabase/seed.sql": LARGE,
    }
    write(tmp_path, files)
    assert list(green._too_large(load_config(tmp_path, folders=()), Written(root=tmp_path)))
    named = (tmp_path / ".sqlfluffignore").read_text().splitlines()[1:]
    assert named == ["supabase/migrations/20260102000000_large.sql", "supabase/seed.sql"]
