"""``python -m pytest_housekeeping``: evidence, approvals, what is applied, a sandbox, the docs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_housekeeping import sandbox
from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.errors import HousekeepingError, MisuseError, did_you_mean

_NONE_RUNS = 3
_NO_PAGE = _MISUSE = 4
_INDEX = "README"
_EPILOG = """\
in a shell:
  eval "$(python -m pytest_housekeeping sandbox)"
  pytest --hk-mode=prod --hk-confirm=PROMOTE
  python -m pytest_housekeeping sandbox --stop

The exports, and nothing else, are on standard output.

exit codes: 0 done; 1 it could not be done; 2 wrong usage; 3 --status, --psql: none runs
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        return _COMMANDS[given.command](given)
    except BrokenPipeError:
        # `docs checks | head`: what the reader does not want is not written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MisuseError as error:
        _say(str(error))
        return 1 if given.command == "sandbox" else _MISUSE
    except (HousekeepingError, OSError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_housekeeping",
        description="What goes with the pytest plugin: pytest --help lists the options of that.",
    )
    commands = parser.add_subparsers(metavar="command", dest="command", required=True)
    command = commands.add_parser(
        "sandbox",
        help="a PostgreSQL in the role of production, to try a promotion on",
        description="Start a PostgreSQL in the role of production: it listens on this machine"
        " alone, asks for a password, and runs in the background until it is stopped. Prints the"
        " five export lines that --hk-mode=prod reads.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--stop", action="store_true", help="end it and remove all of it")
    instead.add_argument("--status", action="store_true", help="say what runs, and where")
    instead.add_argument(
        "--psql",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="open psql on it as the promoter; what follows are arguments of psql",
    )
    proof = commands.add_parser(
        "audit",
        help="prove all evidence that this clone holds",
        description="Prove every audit of this clone, every file that one names, their chain, and"
        " that nothing was ever taken away: on HEAD and on all branches housekeeping/audit/*, local"
        " and of remotes. Nothing is written, and no network is asked.",
        epilog="exit codes: 0 all proved; 1 faults, or no evidence at all; 4 wrong usage: no"
        " repository, or with --target no usable address of production",
    )
    proof.add_argument(
        "--target",
        action="store_true",
        help="connect to production (PG*_PROD) as well: each promotion in its history has its"
        " audit, and each audit its rows",
    )
    approval = commands.add_parser(
        "approve",
        help="approve a promotion, signed",
        description="Say, signed with the SSH key that git is configured with, that the promotion"
        " of this digest may be made. The record is committed to housekeeping/audit/decisions, and"
        " pushed. It counts for whoever neither wrote nor runs it, if approvers of"
        " [tool.housekeeping] names him, and for a run that begins later.",
        epilog="exit codes: 0 approved; 1 it could not be signed or committed; 4 wrong usage: no"
        " digest, no repository, no approvers",
    )
    approval.add_argument("digest", help="as the plan, or a promotion that was refused, has it")
    reviewing = commands.add_parser(
        "review",
        help="say what was found of a promotion that was made in an emergency",
        description="Say that somebody has looked through a promotion with --hk-emergency, and what"
        " was found. Until then `audit` and --hk-mode=verify fail. The record is committed to"
        " housekeeping/audit/decisions, signed where approvers or evidence_signers are configured,"
        " and pushed.",
        epilog="exit codes: 0 closed; 1 it could not be signed or committed, or does not count;"
        " 4 wrong usage: no such emergency, nothing said, no repository",
    )
    reviewing.add_argument("run", help="the id of the run, as `audit` names it")
    reviewing.add_argument("found", help="what was found, in a sentence")
    standing = commands.add_parser(
        "status",
        help="what is applied in production, and whether code may be deployed",
        description="Say what is applied in production: by its own history where PG*_PROD is set,"
        " asked in a read-only session, else by the evidence that this clone holds.",
        epilog="exit codes: 0 said, and nothing is open; with --needs: it may be deployed;"
        " 1 something is open, or nothing is known, or production cannot be asked; with --needs: it"
        " would run ahead of the schema; 4 wrong usage: no repository, no such commit, half an"
        " address",
    )
    standing.add_argument(
        "--needs",
        metavar="COMMIT",
        help="fail unless every migration, view and policy of this commit, branch or tag is"
        " applied, with the very text that it has there",
    )
    commands.add_parser(
        "adopt-drift",
        help="write the migration of what was made by hand in production",
        description="Compare production (PG*_PROD) with the schema that the last promotion left,"
        " and write the migration that makes what was made by hand, if a throwaway copy shows that"
        " it does. Production is only read.",
        epilog="exit codes: 0 written, or nothing to adopt; 1 no file can make it, by name; 4 wrong"
        " usage: no repository, no usable address of production",
    )
    pages = commands.add_parser(
        "docs",
        help="the documentation of this version",
        description="Print a page of the documentation; without one, list them all.",
        epilog="exit codes: 0 done; 4 there is no such page",
    )
    pages.add_argument("page", nargs="?", help="the name of a page, or the id of a rule")
    return parser


def _sandbox(given: argparse.Namespace) -> int:
    if given.stop:
        return _stop()
    if given.status:
        return _status()
    if given.psql is not None:
        return _psql(given.psql)
    return _start()


def _start() -> int:
    running, is_new = sandbox.start(Path.cwd())
    _out(running.exports())
    _say(_described(running, "started" if is_new else "runs already"))
    if is_new and sys.stdout.isatty():
        _say('in a shell: eval "$(python -m pytest_housekeeping sandbox)"')
    _say("stop it: python -m pytest_housekeeping sandbox --stop")
    return 0


def _stop() -> int:
    _say("sandbox stopped and removed" if sandbox.stop() else "no sandbox runs")
    return 0


def _status() -> int:
    running = sandbox.running()
    if running is None:
        _out("no sandbox runs\n")
        return _NONE_RUNS
    _out(f"{_described(running, 'runs')}\nas its administrator: {running.superuser()}\n")
    return 0


def _psql(arguments: list[str]) -> int:
    running = sandbox.running()
    if running is None:
        _say("no sandbox runs\n  fix: python -m pytest_housekeeping sandbox")
        return _NONE_RUNS
    command, login = running.psql(*arguments)
    return subprocess.run(command, env=usual_environment() | login, check=False).returncode


def _audit(given: argparse.Namespace) -> int:
    """What it takes to read evidence is imported here: the other commands need none of it."""
    from pytest_housekeeping.promotion.audit_command import audit

    report = audit(Path.cwd(), target=given.target)
    _out("".join(f"{line}\n" for line in report.lines))
    return 0 if report.proved else 1


def _approve(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.approve_command import approve

    for line in approve(Path.cwd(), given.digest):
        _out(f"{line}\n")
    return 0


def _review(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.review_command import review

    for line in review(Path.cwd(), given.run, given.found):
        _out(f"{line}\n")
    return 0


def _status_of_production(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.status_command import status

    report = status(Path.cwd(), needs=given.needs)
    _out("".join(f"{line}\n" for line in report.lines))
    return 0 if report.good else 1


def _adopt_drift(_: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.adopt_command import adopt_drift

    for line in adopt_drift(Path.cwd()):
        _out(f"{line}\n")
    return 0


def _docs(given: argparse.Namespace) -> int:
    """Print the page, as Markdown; where there is none, the closest name."""
    name: str | None = given.page
    folder = _docs_folder()
    rules = _pages(folder / "rules")
    pages = _pages(folder) | {"rules": rules.pop(_INDEX)}
    index = pages.pop(_INDEX)
    if name is None:
        lines = [f"  {each:<{max(map(len, pages))}}  {_title(pages[each])}" for each in pages]
        _out("\n".join([*lines, f"and a page for each of the {len(rules)} rules, by its id", ""]))
        return 0
    wanted = name.removesuffix(".md").rpartition("/")[2]
    page = {**rules, **pages, _INDEX: index}.get(wanted)
    if page is None:
        near = did_you_mean(wanted, [*pages, *rules], spell=repr)
        fix = "list them: python -m pytest_housekeeping docs"
        _say(str(MisuseError(f"there is no page {name!r}{near}", fix=fix)))
        return _NO_PAGE
    _out(page.read_text(encoding="utf-8"))
    return 0


def _docs_folder() -> Path:
    """Beside the modules in a wheel, beside the package in a clone that is installed editable."""
    package = Path(__file__).parent
    carried = package / "docs"
    return carried if carried.is_dir() else package.parent / "docs"


def _pages(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.md"))}


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _described(running: sandbox.Sandbox, verb: str) -> str:
    return f"sandbox {verb}: {running.place} as {running.user}, for {running.project}"


def _out(text: str) -> None:
    sys.stdout.write(text)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "sandbox": _sandbox,
    "audit": _audit,
    "approve": _approve,
    "review": _review,
    "status": _status_of_production,
    "adopt-drift": _adopt_drift,
    "docs": _docs,
}

if __name__ == "__main__":
    sys.exit(main())
