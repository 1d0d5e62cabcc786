"""What the commands about evidence take: its proof, approvals, reviews; and of which target."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def of_a_target(command: argparse.ArgumentParser) -> None:
    """The option that names another database than production."""
    command.add_argument(
        "--hk-target",
        metavar="NAME",
        default="prod",
        help="another database of [tool.housekeeping.targets]",
    )


def audit(commands: Commands) -> None:
    command = commands.add_parser(
        "audit",
        help="prove all evidence that this clone holds",
        description="Prove every audit of this clone, every file that one names, their chain, and"
        " that nothing was ever taken away: on HEAD and on all branches housekeeping/audit/*, local"
        " and of remotes. Nothing is written, and no network is asked.",
        epilog="exit codes: 0 all proved; 1 faults, or no evidence at all; with --population: it is"
        " not shown to be complete; 4 wrong usage: no repository, no such moment, or with --target"
        " no usable address of production",
    )
    command.add_argument(
        "--target",
        action="store_true",
        help="connect to production (PG*_PROD) as well: each promotion in its history has its"
        " audit, and each audit its rows",
    )
    instead = command.add_mutually_exclusive_group()
    instead.add_argument(
        "--html",
        action="store_true",
        help="write index.html beside the audits: every run, to be filtered and looked into",
    )
    instead.add_argument(
        "--population",
        action="store_true",
        help="every change of a real database, outside of runs too, as CSV, and whether it is all",
    )
    instead.add_argument(
        "--at",
        metavar="MOMENT",
        help="the schema of production as it was on that day, 2027-03-01, or at that moment",
    )
    instead.add_argument(
        "--thin",
        action="store_true",
        help="begin staging's log anew without the audits of superseded commits: a line of each",
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="the index as JSON; with --population that",
    )
    command.add_argument(
        "--from", dest="since", metavar="MOMENT", help="with --population: not earlier than this"
    )
    command.add_argument(
        "--to", dest="until", metavar="MOMENT", help="with --population: not later than this"
    )
    of_a_target(command)


def approve(commands: Commands) -> None:
    command = commands.add_parser(
        "approve",
        help="approve a promotion, signed",
        description="Say, signed with the SSH key that git is configured with, that the promotion"
        " of this digest may be made. The record is committed to housekeeping/audit/decisions, and"
        " pushed. It counts for whoever neither wrote nor runs it, if approvers of"
        " [tool.housekeeping] names him, and for a run that begins later.",
        epilog="exit codes: 0 approved; 1 it could not be signed or committed; 4 wrong usage: no"
        " digest, no repository, no approvers",
    )
    command.add_argument("digest", help="as the plan, or a promotion that was refused, has it")
    of_a_target(command)


def review(commands: Commands) -> None:
    command = commands.add_parser(
        "review",
        help="say what was found of a promotion that was made in an emergency",
        description="Say that somebody has looked through a promotion with --hk-emergency, and what"
        " was found. Until then `audit` and --hk-mode=verify fail. The record is committed to"
        " housekeeping/audit/decisions, signed where approvers or evidence_signers are configured,"
        " and pushed.",
        epilog="exit codes: 0 closed; 1 it could not be signed or committed, or does not count;"
        " 4 wrong usage: no such emergency, nothing said, no repository",
    )
    command.add_argument("run", help="the id of the run, as `audit` names it")
    command.add_argument("found", help="what was found, in a sentence")
