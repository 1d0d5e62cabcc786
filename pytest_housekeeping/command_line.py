"""What ``python -m pytest_housekeeping`` can be told: its commands, and what each of them takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pytest_housekeeping.command_line_evidence import (
    Commands,
    approve,
    audit,
    of_a_target,
    review,
)

MISUSE = 4


class _CommandLine(argparse.ArgumentParser):
    """Wrong usage is exit code 4, as with a mode; argparse's own is 2."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(MISUSE, f"{self.prog}: error: {message}\n")


def command_line() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser: argparse.ArgumentParser = _CommandLine(
        prog="python -m pytest_housekeeping",
        description="The commands beside the pytest plugin; pytest --help lists its options.",
    )
    commands = parser.add_subparsers(metavar="command", dest="command", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


def _init(commands: Commands) -> None:
    command = commands.add_parser(
        "init",
        help="set a project up: write what it lacks, until staging is green",
        description="Apply the project's SQL files to a throwaway PostgreSQL, and write what the"
        " project lacks: settings, checks/objects.toml, a first rls.toml and boundaries.toml with"
        " today's findings as exemptions that end, what the real server has already, .sqlfluff,"
        " lines of .gitignore, workflows for GitHub or GitLab. An existing file is never"
        " written over.",
        epilog="exit codes: 0 staging is green; 1 a file does not run, or something stays red that"
        " only the team can decide; 4 wrong usage: no SQL files, or some that cannot"
        " be planned",
    )
    command.add_argument(
        "--platform",
        choices=("supabase", "rds", "cloudsql"),
        help="what production's server has from the beginning: its roles, and for Supabase its"
        " schemas; detected for Supabase's own layout",
    )
    command.add_argument(
        "--from-production",
        action="store_true",
        help="read production's schema as well (PG*_PROD), in a session that cannot write: what"
        " both have is declared, what only one has is listed",
    )
    command.add_argument(
        "--ci",
        choices=("github", "gitlab", "none"),
        help="whose workflows to write; detected from the remote, or from existing files",
    )


def _new(commands: Commands) -> None:
    command = commands.add_parser(
        "new",
        help="create the next migration and its rollback file",
        description="Create the files of the next migration and of its rollback, with a comment in"
        " each. An existing file is never overwritten.",
        epilog="exit codes: 0 created; 1 it could not be written; 4 wrong usage, such as a name"
        " that cannot be used",
    )
    command.add_argument("name", help="what it does, in a few words")


def _objects(commands: Commands) -> None:
    commands.add_parser(
        "objects",
        help="write checks/objects.toml after a change of the schema",
        description="Apply the project's SQL files to a throwaway PostgreSQL, write"
        " checks/objects.toml from the schema that they make, and show the difference. The comment"
        " at its top is kept.",
        epilog="exit codes: 0 done; 1 a file does not run; 4 wrong usage",
    )


def _platform(commands: Commands) -> None:
    command = commands.add_parser(
        "platform",
        help="print what a platform's server has from the beginning",
        description="Print the SQL of a platform, as it runs on throwaway servers before"
        " sql/bootstrap/. Saved as sql/bootstrap/NAME.sql, your copy runs instead.",
        epilog="exit codes: 0 printed; 4 wrong usage",
    )
    command.add_argument("name", choices=("supabase", "rds", "cloudsql"))


def _sandbox(commands: Commands) -> None:
    command = commands.add_parser(
        "sandbox",
        help="run a PostgreSQL that plays production, to try a promotion on",
        description="Start a PostgreSQL that plays production: it listens on this machine only,\n"
        "asks for a password, and runs in the background until it is stopped. Prints the\n"
        "five export lines that --hk-mode=prod reads.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--stop", action="store_true", help="stop it and remove all of it")
    instead.add_argument("--status", action="store_true", help="show what runs, and where")
    instead.add_argument(
        "--psql",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="run psql on it as the promoter, with the arguments that follow",
    )


def _status(commands: Commands) -> None:
    command = commands.add_parser(
        "status",
        help="show what is applied in production, and whether code may be deployed",
        description="Show what is applied in production: by its own history if PG*_PROD is set,"
        " in a read-only session, otherwise by the evidence in this clone.",
        epilog="exit codes: 0 nothing is open; with --needs: it may be deployed;"
        " 1 something is open, nothing is known, or production cannot be asked; with --needs: it"
        " would run ahead of the schema; 4 wrong usage: no repository, no such commit, an"
        " incomplete address",
    )
    command.add_argument(
        "--needs",
        metavar="COMMIT",
        help="fail unless every migration, view and policy of this commit, branch or tag is"
        " applied, with exactly the text that it has there",
    )
    every = "all databases of [tool.housekeeping.fleet.NAME]"
    command.add_argument("--hk-fleet", metavar="NAME", help=every)
    of_a_target(command)


def _adopt_drift(commands: Commands) -> None:
    command = commands.add_parser(
        "adopt-drift",
        help="write the migration for a change made by hand in production",
        description="Compare production (PG*_PROD) with the schema that the last promotion left,"
        " and write the migration for what was changed by hand, if it makes exactly that on a"
        " throwaway copy. Production is only read.",
        epilog="exit codes: 0 written, or nothing to adopt; 1 no file can make it; 4 wrong"
        " usage: no repository, no usable address of production",
    )
    of_a_target(command)


def _comment(commands: Commands) -> None:
    command = commands.add_parser(
        "comment",
        help="write a plan as the comment of a pull request, and print where to post it",
        description="Write a plan as the comment of a pull request on GitHub. On standard output is"
        " where `gh api` has to post it, below issues/: POST 5/comments or PATCH comments/17;"
        " nothing if there is nothing to post. It is fit for everybody, unless --private.",
        epilog="exit codes: 0 done; 1 an audit that is not there, or was edited; 4 wrong usage",
    )
    command.add_argument(
        "--into", type=Path, required=True, metavar="FILE", help="where the text is written"
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--of", metavar="COMMIT", help="the commit that was planned")
    what.add_argument(
        "--superseded", action="store_true", help="mark the comment of an older commit"
    )
    what.add_argument(
        "--unplanned",
        action="store_true",
        help="show what the evidence in this clone says, if production may not be asked",
    )
    command.add_argument(
        "--audit",
        type=Path,
        metavar="FILE",
        help="the audit of the plan; leave it out if the run has written none",
    )
    command.add_argument(
        "--pull-request",
        type=Path,
        nargs=2,
        metavar=("REQUEST", "COMMENTS"),
        help="files with the pull request and its comments, as `gh api` prints them",
    )
    command.add_argument(
        "--project",
        default="",
        metavar="FOLDER",
        help="the project, if the repository has several: each has its own comment",
    )
    command.add_argument(
        "--private",
        action="store_true",
        help="with numbers, hosts and names, for people who may read production",
    )


def _docs(commands: Commands) -> None:
    command = commands.add_parser(
        "docs",
        help="print the documentation of this version",
        description="Print a page of the documentation; without one, list them all.",
        epilog="exit codes: 0 done; 4 there is no such page",
    )
    command.add_argument(
        "page", nargs="?", help="the name of a page, or the id of a rule or of another finding"
    )


_COMMANDS: tuple[Callable[[Commands], None], ...] = (
    _init,
    _new,
    _objects,
    _platform,
    _sandbox,
    audit,
    approve,
    review,
    _status,
    _adopt_drift,
    _comment,
    _docs,
)
_EPILOG = """\
in a shell:
  eval "$(python -m pytest_housekeeping sandbox)"
  pytest --hk-mode=prod --hk-confirm=PROMOTE
  python -m pytest_housekeeping sandbox --stop

The exports, and nothing else, are on standard output.

exit codes: 0 done; 1 it could not be done; 3 --status, --psql: none runs;
4 wrong usage. With --psql otherwise that of psql.
"""
