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
        help="prove all evidence in this clone",
        description="Prove every audit of this clone, every file that an audit names, their chain,"
        " and that nothing was ever removed: on HEAD and on all branches housekeeping/audit/*,"
        " local and of remotes. Writes nothing and needs no network.",
        epilog="exit codes: 0 all proved; 1 faults, or no evidence at all; with --population:"
        " not shown to be complete; 4 wrong usage: no repository, no such moment, or with --target"
        " no usable address of production",
    )
    command.add_argument(
        "--target",
        action="store_true",
        help="also connect to production (PG*_PROD): each promotion in its history must have its"
        " audit, and each audit its rows",
    )
    instead = command.add_mutually_exclusive_group()
    instead.add_argument(
        "--html",
        action="store_true",
        help="write index.html beside the audits: every run, to filter and open",
    )
    instead.add_argument(
        "--population",
        action="store_true",
        help="list every change of a real database as CSV, and say whether it is complete",
    )
    instead.add_argument(
        "--at",
        metavar="MOMENT",
        help="print production's schema as it was on that day (2027-03-01) or at that moment",
    )
    instead.add_argument(
        "--thin",
        action="store_true",
        help="begin staging's log anew, with one line for each audit of a superseded commit",
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print the index as JSON; with --population, that list",
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
        help="approve a promotion, with a signature",
        description="Approve the promotion with this digest, signed with the SSH key that git is"
        " configured with. The record is committed to housekeeping/audit/decisions and pushed. It"
        " counts if approvers in [tool.housekeeping] names you, you neither wrote nor run the"
        " promotion, and the run begins later.",
        epilog="exit codes: 0 approved; 1 it could not be signed or committed; 4 wrong usage: no"
        " digest, no repository, no approvers",
    )
    command.add_argument(
        "digest", help="the digest that the plan, or a refused promotion, has printed"
    )
    of_a_target(command)


def review(commands: Commands) -> None:
    command = commands.add_parser(
        "review",
        help="close the review of a promotion made in an emergency",
        description="Record that somebody has reviewed a promotion with --hk-emergency, and what"
        " was found. Until then `audit`, `status` and --hk-mode=verify fail. The record is"
        " committed to housekeeping/audit/decisions, signed if approvers or"
        " evidence_signers are configured, and pushed.",
        epilog="exit codes: 0 closed; 1 it could not be signed or committed, or does not count;"
        " 4 wrong usage: no such emergency, no text, no repository",
    )
    command.add_argument("run", help="the id of the run, as `audit` prints it")
    command.add_argument("found", help="what was found, in a sentence")
