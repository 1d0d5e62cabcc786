"""Git: what is committed, what is not, and the evidence. The only module that imports git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_housekeeping.child_environment import usual_environment, without_ways_elsewhere
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.git.answers import Answer, Answers
from pytest_housekeeping.evidence.git.branch import commit_files, store_files
from pytest_housekeeping.evidence.git.compare import Differences, compare, named_below
from pytest_housekeeping.evidence.git.errors import broken, failed
from pytest_housekeeping.evidence.git.objects import audits_of_modes, contents_of, files_in
from pytest_housekeeping.evidence.git.trust import AS_IT_IS, TRUTHFUL
from pytest_housekeeping.model import Mode

if TYPE_CHECKING:
    from git import Repo

    from pytest_housekeeping.evidence.git.evidence_log import EvidenceLog

# Endings of files that a plan reads: git ignores some of them, and the plan does not.
_PLANNED = (".sql", ".toml", ".py")
_BYTECODE = re.compile(r"(?:^|/)__pycache__/[^/]+\.pyc$")


class Repository:
    """A work tree, read; evidence is all that is ever committed, to branches of its own.

    Nothing here touches the index, the files, HEAD or the branch checked out.
    """

    def __init__(self, repo: Repo, root: Path) -> None:
        self.root = root
        self._repo = repo
        self._known: Answers | None = None
        self.log: EvidenceLog | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the programs that GitPython keeps running."""
        self._repo.close()

    def remember(self, folders: Sequence[str]) -> None:
        """From now on what was asked once is not asked again: the repository counts as it is now,
        whoever commits to it meanwhile. What there is in these folders of audits is asked now."""
        from pytest_housekeeping.evidence.git.committed import ask_ahead

        self._known = Answers()
        self.log = ask_ahead(self, folders)

    def head(self) -> str | None:
        """The commit checked out; None before the first one."""
        return self.commit("HEAD")

    def branch(self) -> str | None:
        """The branch checked out; None when HEAD is detached."""
        status, out, _ = self.attempt("symbolic-ref", "--quiet", "--short", "HEAD")
        return _shown(out).rstrip("\n") if status == 0 else None

    def commit(self, name: str) -> str | None:
        """The commit that a name stands for; None when there is none."""
        status, out, _ = self.attempt("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
        return out.decode().strip() if status == 0 else None

    def relative(self, path: Path) -> str:
        """A path as git names it. Raises EvidenceError when it leads out of the work tree."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self.root):
            raise EvidenceError(
                f"{path} lies outside of the repository {self.root}",
                why="no commit of the repository can attest or keep it",
                fix="choose a folder of the repository",
            )
        return real.relative_to(self.root).as_posix()

    def dirty(self, paths: Sequence[Path]) -> tuple[str, ...]:
        """What differs below these paths from the commit: changed, staged, deleted, untracked.

        Relative to the root, sorted. A .sql, .toml or .py file that git ignores counts, and so
        does a path that leads out of the repository; what Python has kept of modules, and is
        compared with them where it runs, does not.
        """
        places = {Path(os.path.realpath(path)) for path in paths}
        places |= {Path(os.path.realpath(path.parent)) / path.name for path in paths}
        inside = {place for place in places if place.is_relative_to(self.root)}
        changed = {str(place) for place in places - inside}
        if inside:
            options = ("--porcelain", "-z", "--untracked-files=all", "--ignored", "--no-renames")
            out = self.run("status", *options, "--", *sorted(map(str, inside)))
            entries = [(entry[:2], _shown(entry[3:])) for entry in out.split(b"\0") if entry]
            changed |= {
                name
                for state, name in entries
                if name.endswith(_PLANNED)
                or not (state == b"!!" or (state == b"??" and _BYTECODE.search(name)))
            }
        return tuple(sorted(changed))

    def compare(
        self,
        commit: str,
        *,
        folders: Sequence[Path],
        read: Mapping[Path, bytes] | Mapping[str, bytes],
    ) -> Differences:
        """What differs from a commit of what it holds below ``folders`` and of what was ``read``.

        By content: what the index, a filter or a conversion of line endings hides is found.
        """
        return compare(self, self.root, commit, folders=folders, read=read)

    def named_below(self, commit: str, folder: str, name: str) -> Mapping[str, str]:
        """The plain files of that name that a commit holds below a folder: their ids, by path."""
        return named_below(self, commit, folder, name)

    def show(self, commit: str, path: str) -> bytes:
        """The bytes that a commit holds. Raises EvidenceError when it has no such file."""
        return self.run("cat-file", "blob", f"{commit}:{path}")

    def commit_evidence(
        self,
        branch: str,
        files: Mapping[str, bytes],
        message: str,
        attests: str | None,
        *,
        sign: bool = False,
        stored: Mapping[str, str] | None = None,
    ) -> str:
        """Commit files onto ``refs/heads/<branch>``, byte for byte, and return the commit.

        ``files`` are named from the root of the repository; ``stored`` are further ones, of which
        git has the content already (``store``). With a commit in ``attests`` the
        branch is one to merge: its parents are its own last commit, if any, and that commit; its
        tree is that commit's, plus all evidence that the branch has ever held, plus the files.
        Without one the branch is a log: it has no ancestor and holds nothing but evidence, all of
        which stays.
        No hook is run, and nothing is signed unless it is to (``sign``); runs that commit at once
        lose nothing. Raises EvidenceError, SigningFailed among them, with nothing changed.
        """
        return commit_files(self, branch, files, message, attests, sign=sign, stored=stored or {})

    def store(self, paths: Sequence[Path]) -> list[str]:
        """Give git the bytes of files, and return what it calls each. Raises EvidenceError."""
        return store_files(self, paths)

    def evidence(self, mode: str, folder: str = "ops/audit") -> Iterator[tuple[str, bytes]]:
        """Every committed ``<mode>_<UTC>_<run>.json`` of the folder, each path and content once.

        By name, the oldest first. Looked for in HEAD and in the tips of local and remote branches
        housekeeping/audit/*.
        """
        return audits_of_modes(self, [mode], folder)

    def changes_on_record(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The same of promotions, and then of rollbacks."""
        return audits_of_modes(self, [Mode.PROD, Mode.ROLLBACK], folder)

    def kept(self, path: str) -> tuple[bytes, ...]:
        """What HEAD and the branches with evidence hold under a path, each content once."""
        return contents_of(self, path)

    def files_in(self, commit: str, folder: str) -> Iterator[tuple[str, bytes]]:
        """Name and content of what lies directly in a folder, as a commit has it."""
        return files_in(self, commit, folder)

    def has_remote(self, name: str) -> bool:
        """Whether a remote of that name is configured."""
        return self.attempt("remote", "get-url", name)[0] == 0

    def is_partial(self) -> bool:
        """Whether this clone may lack objects that its remote has (``git clone --filter``)."""
        return self.attempt("config", "--get-regexp", r"^remote\..*\.promisor$")[0] == 0

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Git fetches nothing meanwhile: of a partial clone it would, for each object in turn.

        https://git-scm.com/docs/git#Documentation/git.txt-codeGITNOLAZYFETCHcode
        """
        before = self._repo.git.update_environment(GIT_NO_LAZY_FETCH="1")
        try:
            yield
        finally:
            self._repo.git.update_environment(**before)

    def push(self, remote: str, branch: str) -> None:
        """Push a branch, never by force. Raises EvidenceError with git's words."""
        ref = f"refs/heads/{branch}"
        self.run("push", "--quiet", "--no-verify", remote, f"{ref}:{ref}")

    def run(self, *command: str, stdin: bytes | None = None) -> bytes:
        """What a git command prints. Raises EvidenceError when it fails."""
        status, out, complaint = self.attempt(*command, stdin=stdin)
        if status != 0:
            raise failed(f"git {command[0]} failed in {self.root}", complaint)
        return out

    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]:
        """Exit code, output and error text of a git command that gets ``stdin`` to read."""

        def ask(stdin: bytes | None) -> Answer:
            return _execute(self._repo, command, stdin)

        return self._known.of(command, stdin, ask) if self._known is not None else ask(stdin)


def open_repository(root: Path) -> Repository | None:
    """The repository that the folder belongs to; None when it belongs to none.

    Raises EvidenceError for a bare or broken one, one that git refuses to trust, and when there
    is no git program.
    """
    top = _enclosing(root)
    if top is None:
        return None
    if not os.path.lexists(top / ".git"):
        raise EvidenceError(
            f"{top} is a bare repository, or the inside of one",
            why="it has no work tree whose files a commit could attest",
            fix="run in a clone or a worktree of it",
        )
    try:
        # When it is imported it asks for git's version.
        with without_ways_elsewhere():
            import git
    except ImportError as error:
        raise EvidenceError(
            f"git cannot be used: {str(error).splitlines()[0]}",
            why=f"{top} is a git repository, and the audit is to be committed to it",
            fix="install the git program, or run with --hk-no-commit",
        ) from None
    try:
        with without_ways_elsewhere():
            repo = git.Repo(root, search_parent_directories=True, expand_vars=False)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        raise broken(top) from None
    repo.git.update_environment(**TRUTHFUL)
    try:
        return Repository(repo, _work_tree(repo, top))
    except BaseException:
        repo.close()
        raise


def _enclosing(root: Path) -> Path | None:
    """The nearest folder, upward, that is or claims to be a repository."""
    start = Path(os.path.realpath(root))
    for folder in (start, *start.parents):
        bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
        if os.path.lexists(folder / ".git") or bare:
            return folder
    return None


def _work_tree(repo: Repo, top: Path) -> Path:
    """The root that git itself names: it must be the folder that was found without it."""
    status, out, complaint = _execute(repo, ("rev-parse", "--show-toplevel"))
    if status != 0 and "not a git repository" not in complaint:
        raise failed(f"git cannot read the repository {top}", complaint)
    if status != 0 or Path(os.path.realpath(out.decode(errors="surrogateescape")[:-1])) != top:
        raise broken(top)
    return top


def _execute(
    repo: Repo, command: Sequence[str], stdin: bytes | None = None
) -> tuple[int, bytes, str]:
    # Not by GitPython: a program that it starts inherits the whole environment, password and all.
    try:
        whole = ["git", *AS_IT_IS, *command]
        done = subprocess.run(
            whole,
            input=stdin or b"",
            capture_output=True,
            check=False,
            cwd=repo.working_dir,
            env=usual_environment() | repo.git.environment(),
        )
    except OSError as error:
        raise failed(f"git {command[0]} cannot be run", str(error)) from None
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").rstrip("\n")


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
