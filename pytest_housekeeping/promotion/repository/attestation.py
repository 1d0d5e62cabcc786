"""What a run can attest: a commit, and that what was read and what ran is in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, named
from pytest_housekeeping.evidence import Differences, Repository, SourceFacts
from pytest_housekeeping.model import CodeFile
from pytest_housekeeping.plan.code_files import may_be_there
from pytest_housekeeping.plan.modes import ModeRules
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.promotion.installed_tools import installed_tools
from pytest_housekeeping.sql.folder import sql_folders
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import digest

# What to do about a file that ran as Python and is in no commit.
RAN_FIX = "commit it; one that a build makes is named in generated_code of [tool.housekeeping]"
SUBMODULE_FIX = (
    "move what is promoted, and what runs with it, out of the submodule into this repository; or"
    " run in the submodule, if all of the project is there; Python may be installed instead: pip"
    " install ./<submodule>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RanFile:
    """A file of the repository that ran as Python, and the bytes that ran.

    ``data`` is None where Python ran a cached form (``__pycache__``) of some other text.
    """

    path: str
    data: bytes | None


class Attestation:
    """What the run attests; it grows while Python files are seen running.

    ``facts`` is what is known now. ``untrue`` says what ran otherwise than it was read, "" for
    nothing: a run of which that is so must not go on.
    """

    def __init__(self, config: Config, repository: Repository | None, facts: SourceFacts) -> None:
        self.facts = facts
        self.untrue = ""
        self._root = config.root
        self._generated = config.generated_code
        self._repository = repository
        self._known: dict[str, str] = {file.path: file.sha256 for file in facts.code}
        self._taken: dict[str, bytes] = {}

    def add(self, ran: Iterable[RanFile]) -> tuple[str, ...]:
        """Take down what has run. Returns the paths, from the root of the repository, of what is
        not in the commit and was not known to be missing there."""
        new: dict[str, bytes] = {}
        for file in ran:
            if file.data is not None and self._taken.get(file.path) is file.data:
                continue
            path = self._from_root(file.path)
            sha256 = "" if file.data is None else digest(file.data)
            if self._known.get(path, sha256) != sha256 or file.data is None:
                self.untrue = f"{path} ran as another text than the plan was made from"
            if file.data is not None:
                self._taken[file.path] = file.data
            if path not in self._known and file.data is not None:
                self._known[path] = sha256
                new[file.path] = file.data
        if not new:
            return ()
        code = tuple(CodeFile(path=path, sha256=self._known[path]) for path in sorted(self._known))
        self.facts = replace(self.facts, code=code)
        return self._compare(new)

    def _from_root(self, path: str) -> str:
        below = f"{self._root}{os.sep}"
        return path[len(below) :] if path.startswith(below) else os.path.relpath(path, self._root)

    def _compare(self, new: Mapping[str, bytes]) -> tuple[str, ...]:
        commit = self.facts.commit
        if self._repository is None or commit is None:
            return ()
        found = self._repository.compare(commit, folders=[], read=new)
        generated = set(self._generated_ones(self._repository, commit))
        found = replace(found, paths=tuple(each for each in found.paths if each not in generated))
        missing = tuple(path for path in found.paths if path not in self.facts.dirty)
        self.facts = replace(_with(self.facts, found), ran=(*self.facts.ran, *missing))
        return missing

    def _generated_ones(self, repository: Repository, commit: str) -> Iterator[str]:
        """What ``generated_code`` names and the commit does not hold."""
        for name in self._generated:
            path = repository.relative(self._root / name)
            if repository.attempt("cat-file", "-e", f"{commit}:{path}")[0] != 0:
                yield path


def source_of(
    config: Config,
    sources: ProjectFiles,
    repository: Repository | None,
) -> SourceFacts:
    """The commit in the work tree, and what differs from it of all that is below ``sql/`` and
    ``checks/``, of what was read for the plan, and of the files that steer it."""
    tools = installed_tools()
    if repository is None:
        return SourceFacts(reason="not in a git repository", tools=tools)
    head = repository.head()
    if head is None:
        return SourceFacts(reason="no commit yet", tools=tools)
    folders = [config.root / each for each in (*sql_folders(config), config.checks)]
    single = [config.root / path for path in may_be_there(config)]
    read = {f"{config.root}/{path}": data for path, data in sources.held.items()}
    found = repository.compare(head, folders=[*folders, *single], read=read)
    facts = SourceFacts(
        commit=head,
        branch=repository.branch(),
        dirty=repository.dirty([*folders, *single]),
        tools=tools,
    )
    return _with(facts, found)


def with_file(
    source: SourceFacts, repository: Repository | None, path: Path, data: bytes | None
) -> SourceFacts:
    """The same, with what differs from the commit of one file more, of which this was read."""
    if repository is None or source.commit is None:
        return source
    read = {path: data} if data is not None else {}
    return _with(source, repository.compare(source.commit, folders=[path], read=read))


def attested(source: SourceFacts, plan: Plan) -> SourceFacts:
    """The same with the code and the settings that a plan names."""
    files = {file.path: file for file in (*plan.code, *plan.settings)}
    return replace(source, code=tuple(files[path] for path in sorted(files)))


def refuse_unattested(source: SourceFacts) -> None:
    """A promotion attests a commit. Raises MisuseError for what is in none."""
    if source.commit is None:
        raise MisuseError(
            f"nothing to attest: {source.reason}",
            why="nobody could tell later what was promoted",
            fix="commit the project to a git repository",
        )
    if source.submodules:
        raise _in_submodules(source, _of_submodules(source, source.dirty))
    edited = [path for path in source.dirty if path not in source.rewritten]
    if edited:
        raise MisuseError(
            f"uncommitted changes: {named(edited)}",
            why="what would be promoted is in no commit, so nobody has reviewed it",
            fix=f"commit or stash them{_unhidden(edited)}",
        )
    if source.rewritten:
        raise MisuseError(
            f"git has rewritten files when it checked them out: {named(source.rewritten)}",
            why="line endings or a filter make another text of them than the commit holds, and"
            " PostgreSQL would store that text",
            fix=checkout_fix(source),
        )


def _of_submodules(source: SourceFacts, paths: Sequence[str]) -> list[str]:
    folders = tuple(f"{each}/" for each in source.submodules)
    return [path for path in paths if path.startswith(folders)]


def _in_submodules(source: SourceFacts, paths: Sequence[str]) -> MisuseError:
    return MisuseError(
        f"files of the submodule {named(source.submodules)}: {named(paths)}",
        why="the commit that is promoted names a commit of the submodule and holds none of its"
        " files, so that nobody could compare them with what ran",
        fix=SUBMODULE_FIX,
    )


def refusal_of(
    attestation: Attestation, missing: Sequence[str], rules: ModeRules
) -> MisuseError | None:
    """Why a run does not go on with the code that ran.

    What is ``missing`` from the commit matters where production is changed; a staging run is only
    not committed as evidence.
    """
    if attestation.untrue:
        return MisuseError(
            attestation.untrue,
            why="the audit would name a text that did not run",
            fix="remove the folders __pycache__ and run again, with PYTHONDONTWRITEBYTECODE=1 where"
            " something compiles modules in its own way",
        )
    if missing and rules.changes_production:
        inside = _of_submodules(attestation.facts, missing)
        if inside:
            return _in_submodules(attestation.facts, inside)
        return MisuseError(
            f"ran as Python and is not in the commit: {named(missing)}",
            why="it can change what is proved, and nobody has reviewed it",
            fix=f"{RAN_FIX}; or let it run from outside of the repository: pip install . puts it"
            " among the installed packages, pip install -e . does not",
        )
    return None


def checkout_fix(source: SourceFacts) -> str:
    """The commands that bring the bytes of the commit into the work tree."""
    paths = _from_anywhere(source.rewritten)
    cause = (
        "in .gitattributes, let these files be taken as they are: <pattern> -text -ident !eol"
        " !filter !working-tree-encoding; commit it; "
        if source.by_attribute
        else "git config core.autocrlf false; "
    )
    return f"{cause}git rm -q --cached -- {paths}; git checkout HEAD -- {paths}"


def _unhidden(paths: Sequence[str]) -> str:
    """The commands that let git look at files again; those that it does not know are passed over.

    ``update-index`` takes no pathspecs, and its paths count from where git runs. Without a path
    ``ls-files`` would name everything.
    """
    inside = _from_anywhere(path for path in paths if not path.startswith("/"))
    if not inside:
        return ""
    shows = 'git -C "$(git rev-parse --show-toplevel)" update-index'
    said = "; one that `git status` does not show was hidden from git, and is shown after: "
    return said + "; ".join(
        f"git ls-files -z --full-name -- {inside} | {shows} --no-{bit} -z --stdin"
        for bit in ("assume-unchanged", "skip-worktree")
    )


def _from_anywhere(paths: Iterable[str]) -> str:
    """Paths from the root of the repository, for a shell in whatever folder of it.

    https://git-scm.com/docs/gitglossary#Documentation/gitglossary.txt-pathspec
    """
    return " ".join(shlex.quote(f":(top,literal){path}") for path in paths)


def _with(facts: SourceFacts, found: Differences) -> SourceFacts:
    return replace(
        facts,
        dirty=tuple(sorted({*facts.dirty, *found.paths})),
        rewritten=tuple(sorted({*facts.rewritten, *found.rewritten})),
        by_attribute=facts.by_attribute or found.by_attribute,
        submodules=tuple(sorted({*facts.submodules, *found.submodules})),
    )
