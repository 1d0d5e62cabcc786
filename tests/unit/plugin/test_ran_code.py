"""Which files count as code of the repository that ran: by how they came to run."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
import sys
import venv
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

# What a run does, in a process of its own: audit hooks stay until their process ends.
WATCHED = """
import json, sys
from types import SimpleNamespace
from pathlib import Path
from pytest_housekeeping.plugin.ran_code import watch

seen = watch(Path(sys.argv[1]), SimpleNamespace(getini=lambda name: False))
exec(sys.argv[2])
seen = {each.path: each.data if each.data is None else each.data.decode("latin-1")
        for each in seen.files()}
Path(sys.argv[3]).write_text(json.dumps(seen), encoding="utf-8")
"""
STARTED_BY_ITS_PROGRAM = "sys.modules['__main__'].__file__ = sys.prefix + '/bin/pytest'"
PROJECT = str(Path(__file__).resolve().parents[3])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    return root


def ran(root: Path, does: str, *path: Path, python: Path | None = None) -> dict[str, str | None]:
    """What is seen of a run that does this, by paths from the root; in a fork of this process, if
    nothing is said of the interpreter."""
    out = root.parent / "seen.json"
    arguments, places = [str(root), does, str(out)], [str(each) for each in path]
    if python is None:
        child = os.fork()
        if not child:
            status = 1
            with suppress(BaseException):
                os.chdir(root)
                sys.path[:0], sys.argv[1:] = places, arguments
                exec(WATCHED, {})
                status = 0
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    else:
        places += [PROJECT, *(each for each in sys.path if each)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
        command = [str(python), "-c", WATCHED, *arguments]
        subprocess.run(command, cwd=root, env=environment, check=True)
    seen: dict[str, str | None] = json.loads(out.read_text(encoding="utf-8"))
    return {os.path.relpath(name, os.path.realpath(root)): text for name, text in seen.items()}


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        place = root / f"{name.replace('__', '/')}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def test_an_application_in_src_with_a_generated_file_and_a_namespace(repository: Path) -> None:
    write(repository, src__shop__web="import shop.version", src__shop__version="v = 1")
    seen = ran(repository, "import shop.web", repository / "src")
    assert seen == {"src/shop/web.py": "import shop.version", "src/shop/version.py": "v = 1"}


def test_what_takes_itself_out_of_sight(repository: Path) -> None:
    write(repository, gone="x = 1")
    does = "import gone; del sys.modules['gone']"
    assert ran(repository, does, repository) == {"gone.py": "x = 1"}


def test_other_repositories_and_what_is_installed_beside(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, elsewhere="x = 1")
    assert ran(repository, "import elsewhere", other) == {}


def test_a_virtual_environment_inside_of_the_repository(repository: Path) -> None:
    """Its packages, its programs, and what pip has checked out into its ``src``."""
    place = repository / ".venv"
    venv.create(place, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    write(place / "lib" / version / "site-packages", packaged="x = 1")
    write(place / "src" / "editable", edited="x = 1")
    shutil.copy(__file__, place / "bin" / "pytest")
    write(repository, ours="import packaged, edited")
    does = f"import ours; {STARTED_BY_ITS_PROGRAM}"
    paths = (repository, place / "src" / "editable")
    seen = ran(repository, does, *paths, python=place / "bin" / "python")
    assert seen == {"ours.py": "import packaged, edited"}


def test_an_environment_around_the_repository_hides_nothing(repository: Path) -> None:
    """The repository lies in the environment, or is its folder."""
    venv.create(repository, with_pip=False, symlinks=True)
    write(repository, ours="x = 1")
    write(repository / "inner", within="x = 1")
    python = repository / "bin" / "python"
    shutil.copy(__file__, repository / "bin" / "pytest")
    does = f"import ours; {STARTED_BY_ITS_PROGRAM}"
    assert ran(repository, does, repository, python=python) == {"ours.py": "x = 1"}
    inner = repository / "inner"
    (inner / ".git").mkdir()
    assert ran(inner, "import within", inner, python=python) == {"within.py": "x = 1"}


@pytest.mark.parametrize("hides", ["", "; del sys.modules['plain']"])
def test_bytecode_without_its_source(repository: Path, hides: str) -> None:
    write(repository, plain="x = 1")
    compiled = py_compile.compile(str(repository / "plain.py"), str(repository / "plain.pyc"))
    assert compiled is not None
    (repository / "plain.py").unlink()
    seen = ran(repository, f"import plain{hides}", repository)
    assert seen == {"plain.pyc": Path(compiled).read_bytes().decode("latin-1")}


@pytest.mark.parametrize("hides", ["", "; del sys.modules['plain']"])
def test_an_archive_on_the_path(repository: Path, hides: str) -> None:
    archive = repository / "lib.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("plain.py", "x = 1")
    seen = ran(repository, f"import plain{hides}", archive)
    assert seen == {"lib.zip": archive.read_bytes().decode("latin-1")}


def test_a_cached_form_is_believed_when_it_is_of_this_text(repository: Path) -> None:
    write(repository, cached="x = 1")
    py_compile.compile(str(repository / "cached.py"))
    assert ran(repository, "import cached", repository) == {"cached.py": "x = 1"}
    before = (repository / "cached.py").stat()
    write(repository, cached="x = 2")
    os.utime(repository / "cached.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ran(repository, "import cached", repository) == {"cached.py": None}


def test_a_cache_of_pytest_that_came_from_elsewhere(repository: Path) -> None:
    """pytest believes it by size and time, and its code bears the name of the other place."""
    write(repository, test_it="def test_it(): assert 1")
    does = (
        "import importlib.util, types\n"
        "from _pytest.assertion.rewrite import AssertionRewritingHook\n"
        "spec = importlib.util.spec_from_file_location('test_it', 'test_it.py')\n"
        "made = importlib.util.module_from_spec(spec)\n"
        "made.__loader__ = AssertionRewritingHook.__new__(AssertionRewritingHook)\n"
        "sys.modules['test_it'] = made\n"
        "exec(compile('x = 1', '/elsewhere/test_it.py', 'exec'), made.__dict__)"
    )
    assert ran(repository, does, repository) == {"test_it.py": None}


def test_a_module_that_is_loaded_when_it_is_used_is_not_loaded_by_the_look(
    repository: Path,
) -> None:
    write(repository, lazy="raise SystemExit('loaded')")
    does = (
        "import importlib.util\n"
        "spec = importlib.util.find_spec('lazy')\n"
        "spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "made = importlib.util.module_from_spec(spec)\n"
        "sys.modules['lazy'] = made\n"
        "spec.loader.exec_module(made)"
    )
    assert set(ran(repository, does, repository)) <= {"lazy.py"}


def test_behind_what_is_settled_only_what_is_imported_later_is_looked_at(repository: Path) -> None:
    for name in ("early", "late", "other"):
        (repository / f"{name}.py").write_text("", encoding="utf-8")
    put = "m = type(sys)('{0}'); m.__file__ = str(Path('{0}.py').resolve()); sys.modules['{0}'] = m"
    does = [put.format("early"), "list(seen.files()), seen.settle()", put.format("late")]
    again = "json.__file__ = str(Path('other.py').resolve())"
    assert ran(repository, "\n".join([*does, again])).keys() == {"early.py", "late.py"}
    # The same name for another module is another module.
    does[2] = "del sys.modules['early']; " + put.format("early").replace("early.py", "late.py")
    assert ran(repository, "\n".join(does)).keys() == {"early.py", "late.py"}
