"""The wheel that would be shipped, and a Python that has it and nothing of this clone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.fresh_copy import ROOT
from support.kept_bytecode import bring_bytecode


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """``file`` is the wheel, ``venv`` an environment in which it is installed."""

    file: Path
    venv: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin/python"


def build_file(folder: Path) -> Path:
    """Build the wheel, alone in ``folder``."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


def build_wheel(folder: Path) -> Wheel:
    """Build the wheel and install it alone; its dependencies are those of this environment."""
    file, venv = build_file(folder / "dist"), folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--no-compile", "--target", str(packages), str(file)]
    subprocess.run(pip, check=True, capture_output=True)
    bring_bytecode(packages)
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "zz_dependencies.pth").write_text("\n".join(here), encoding="utf-8")
    return Wheel(file=file, venv=venv)
