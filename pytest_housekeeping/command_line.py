"""What ``python -m pytest_housekeeping`` can be told: its commands, and what each of them takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from pytest_housekeeping.command_line_evidence import (
    Commands,
    approve,
    audit,
    of_a_target,
    review,
)


def command_line() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pytest_housekeeping",
        description="What goes with the pytest plugin: pytest --help lists the options of that.",
    )
    commands = parser.add_subparsers(metavar="command", dest="command", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


def _init(commands: Commands) -> None:
    command = commands.add_parser(
        "init",
        help="take a project in: what it lacks is written until staging is green",
        description="Apply the project's SQL files to a throwaway PostgreSQL, and write what is"
        " read off it: settings, checks/objects.toml, a first rls.toml and boundaries.toml, what"
        " stands open today as exemptions with an end, what the real server has already, .sqlfluff,"
        " lines of .gitignore, the workflows of GitHub or GitLab. A file that is there is never"
        " written over.",
        epilog="exit codes: 0 staging is green; 1 a file does not run, or something stays red that"
        " only the team can decide; 4 wrong usage: no SQL files, or such as can be no part of a"
        " plan",
    )
    command.add_argument(
        "--platform",
        choices=("supabase", "rds", "cloudsql"),
        help="what the server of production has from the beginning: its roles, and for Supabase its"
        " schemas; known by itself for Supabase's own layout",
    )
    command.add_argument(
        "--from-production",
        action="store_true",
        help="read what is declared off production as well (PG*_PROD), in a session that cannot"
        " write: what both have is declared, what only one has is told",
    )
    command.add_argument(
        "--ci",
        choices=("github", "gitlab", "none"),
        help="whose workflows are written; known by itself from the remote, or from what is there",
    )


def _new(commands: Commands) -> None:
    command = commands.add_parser(
        "new",
        help="make the next migration and its rollback file",
        description="Make the files of the next migration and of what undoes it, with a comment in"
        " each. A file that is there is never written over.",
        epilog="exit codes: 0 made; 1 it could not be written; 4 wrong usage: such a name",
    )
    command.add_argument("name", help="what it does, in a few words")


def _objects(commands: Commands) -> None:
    commands.add_parser(
        "objects",
        help="write checks/objects.toml after a change of the schema",
        description="Apply the project's SQL files to a throwaway PostgreSQL, write"
        " checks/objects.toml as the schema is then, and show the difference. The comment at its"
        " top stays.",
        epilog="exit codes: 0 done; 1 a file does not run; 4 wrong usage",
    )


def _platform(commands: Commands) -> None:
    command = commands.add_parser(
        "platform",
        help="print what a platform's server has from the beginning",
        description="Print the preset of a platform, as it runs on throwaway servers before"
        " sql/bootstrap/. As sql/bootstrap/NAME.sql it is yours, and takes the preset's place.",
        epilog="exit codes: 0 printed; 4 wrong usage",
    )
    command.add_argument("name", choices=("supabase", "rds", "cloudsql"))


def _sandbox(commands: Commands) -> None:
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


def _status(commands: Commands) -> None:
    command = commands.add_parser(
        "status",
        help="what is applied in production, and whether code may be deployed",
        description="Say what is applied in production: by its own history where PG*_PROD is set,"
        " asked in a read-only session, else by the evidence that this clone holds.",
        epilog="exit codes: 0 said, and nothing is open; with --needs: it may be deployed;"
        " 1 something is open, or nothing is known, or production cannot be asked; with --needs: it"
        " would run ahead of the schema; 4 wrong usage: no repository, no such commit, half an"
        " address",
    )
    command.add_argument(
        "--needs",
        metavar="COMMIT",
        help="fail unless every migration, view and policy of this commit, branch or tag is"
        " applied, with the very text that it has there",
    )
    every = "all databases of [tool.housekeeping.fleet.NAME]"
    command.add_argument("--hk-fleet", metavar="NAME", help=every)
    of_a_target(command)


def _adopt_drift(commands: Commands) -> None:
    command = commands.add_parser(
        "adopt-drift",
        help="write the migration of what was made by hand in production",
        description="Compare production (PG*_PROD) with the schema that the last promotion left,"
        " and write the migration that makes what was made by hand, if a throwaway copy shows that"
        " it does. Production is only read.",
        epilog="exit codes: 0 written, or nothing to adopt; 1 no file can make it, by name; 4 wrong"
        " usage: no repository, no usable address of production",
    )
    of_a_target(command)


def _comment(commands: Commands) -> None:
    command = commands.add_parser(
        "comment",
        help="write the comment of a plan for a pull request, and say where it belongs",
        description="Write the comment of a plan, for a pull request of GitHub. On standard output"
        " is what `gh api` has to be told, POST 5/comments or PATCH comments/17, below issues/;"
        " nothing where nothing is to be posted. Everybody may read it, unless it is --private.",
        epilog="exit codes: 0 done; 1 an audit that is not there, or was edited; 4 wrong usage",
    )
    command.add_argument("--into", type=Path, required=True, metavar="FILE", help="for the text")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--of", metavar="COMMIT", help="which commit was planned")
    what.add_argument("--superseded", action="store_true", help="mark the one of an older commit")
    what.add_argument(
        "--unplanned",
        action="store_true",
        help="say what the evidence of this clone knows, where production may not be asked",
    )
    command.add_argument(
        "--audit",
        type=Path,
        metavar="FILE",
        help="of the plan; without it the run has made none",
    )
    command.add_argument(
        "--pull-request",
        type=Path,
        nargs=2,
        metavar=("REQUEST", "COMMENTS"),
        help="files with the pull request and its comments, as `gh api` tells them",
    )
    command.add_argument(
        "--project",
        default="",
        metavar="FOLDER",
        help="of several projects of one repository, which: each has a comment of its own",
    )
    command.add_argument(
        "--private",
        action="store_true",
        help="only those read it who may read production: with numbers, hosts and names",
    )


def _docs(commands: Commands) -> None:
    command = commands.add_parser(
        "docs",
        help="the documentation of this version",
        description="Print a page of the documentation; without one, list them all.",
        epilog="exit codes: 0 done; 4 there is no such page",
    )
    command.add_argument("page", nargs="?", help="the name of a page, or the id of a rule")


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

exit codes: 0 done; 1 it could not be done; 2 wrong usage; 3 --status, --psql: none runs
"""
