"""``python -m pytest_housekeeping``: evidence, approvals, what is applied, a sandbox, the docs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TextIO

from pytest_housekeeping import sandbox
from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.command_line import MISUSE, command_line
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.pages import (
    docs_folder,
    page_text,
    told_of_finding,
    told_of_findings,
)
from pytest_housekeeping.errors import HousekeepingError, MisuseError, did_you_mean

_NONE_RUNS = 3
_INDEX = "README"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    given = command_line().parse_args(arguments)
    try:
        return _COMMANDS[given.command](given)
    except MisuseError as error:
        _say(str(error))
        return MISUSE
    except (HousekeepingError, OSError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130


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
    if given.thin:
        from pytest_housekeeping.promotion.commands.thin import thin

        for line in thin(Path.cwd()):
            _out(f"{line}\n")
        return 0
    if given.html or given.population or given.at or given.json or given.since or given.until:
        from pytest_housekeeping.promotion.commands.index import Asked, index

        asked = {each.name: getattr(given, each.name) for each in fields(Asked)}
        told = index(Path.cwd(), Asked(**asked))
        _out(told.out)
        for line in told.said:
            _say(line)
        return 0 if told.good else 1
    from pytest_housekeeping.promotion.commands.audit import audit

    report = audit(Path.cwd(), target=given.target, name=given.hk_target)
    _out("".join(f"{line}\n" for line in report.lines))
    return 0 if report.proved else 1


def _approve(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.commands.approve import approve

    for line in approve(Path.cwd(), given.digest, target=given.hk_target):
        _out(f"{line}\n")
    return 0


def _review(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.commands.review import review

    for line in review(Path.cwd(), given.run, given.found):
        _out(f"{line}\n")
    return 0


def _status_of_production(given: argparse.Namespace) -> int:
    if given.hk_fleet is not None:
        return _status_of_fleet(given)
    from pytest_housekeeping.promotion.commands.status import status

    report = status(Path.cwd(), target=given.hk_target, needs=given.needs)
    _out("".join(f"{line}\n" for line in report.lines))
    return 0 if report.good else 1


def _status_of_fleet(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.fleet.status import fleet_status

    found = fleet_status(Path.cwd(), given.hk_fleet)
    _out("".join(f"{line}\n" for line in found.lines))
    return 0 if found.good else 1


def _comment(given: argparse.Namespace) -> int:
    """Where there is something to post, its place below ``issues/`` is on standard output."""
    from pytest_housekeeping.promotion.commands import comment as command

    project, told = given.project.strip("/"), given.pull_request
    request = command.read_request(*told, project=project) if told else None
    if given.unplanned:
        made = command.without_production(Path.cwd())
    elif given.superseded:
        made = command.superseded_comment(request)
    else:
        made = command.planned_comment(
            given.of, given.audit, request, private=given.private, project=project
        )
    if made.body:
        given.into.write_text(made.body, encoding="utf-8")
    _out(f"{made.place}\n" if made.place else "")
    return 0


def _adopt_drift(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.commands.adopt import adopt_drift

    for line in adopt_drift(Path.cwd(), target=given.hk_target):
        _out(f"{line}\n")
    return 0


def _init(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.init.command import init

    for line in init(
        Path.cwd(), platform=given.platform, ci=given.ci, from_production=given.from_production
    ):
        _out(f"{line}\n")
    return 0


def _new(given: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.commands.new import new_migration

    for line in new_migration(Path.cwd(), given.name):
        _out(f"{line}\n")
    return 0


def _objects(_: argparse.Namespace) -> int:
    from pytest_housekeeping.promotion.commands.objects import write_objects

    for line in write_objects(Path.cwd()):
        _out(f"{line}\n")
    return 0


def _platform(given: argparse.Namespace) -> int:
    from pytest_housekeeping.declarations.settings import has_settings, load_config
    from pytest_housekeeping.sql.platforms import platform_text

    here = Path.cwd()
    config = load_config(here) if has_settings(here) else Config(root=here)
    _out(platform_text(given.name, migrator=config.migrator))
    return 0


def _docs(given: argparse.Namespace) -> int:
    """Print the page, as Markdown; of a finding that has none what stands of it on another one;
    where there is neither, the closest name."""
    name: str | None = given.page
    folder = docs_folder()
    rules = _pages(folder / "rules")
    pages = _pages(folder) | _pages(folder / "from") | {"rules": rules.pop(_INDEX)}
    index = pages.pop(_INDEX)
    if name is None:
        lines = [f"  {each:<{max(map(len, pages))}}  {_title(pages[each])}" for each in pages]
        last = f"and a page for each of the {len(rules)} rules, by its id; a row of other findings"
        _out("\n".join([*lines, last, ""]))
        return 0
    wanted = name.removesuffix(".md").rpartition("/")[2]
    page = {**rules, **pages, _INDEX: index}.get(wanted)
    if page is None and (told := told_of_finding(wanted)):
        _out(f"{told}\n")
        return 0
    if page is None:
        near = did_you_mean(wanted, [*pages, *rules, *told_of_findings()], spell=repr)
        fix = "list them: python -m pytest_housekeeping docs"
        _say(str(MisuseError(f"there is no page {name!r}{near}", fix=fix)))
        return MISUSE
    _write(sys.stdout, page_text(page))  # as it stands in docs/
    return 0


def _pages(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.md"))}


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _described(running: sandbox.Sandbox, verb: str) -> str:
    return f"sandbox {verb}: {running.place} as {running.user}, for {running.project}"


def _out(text: str) -> None:
    _write(sys.stdout, _as_run_here(text))


def _say(text: str) -> None:
    _write(sys.stderr, _as_run_here(f"{text}\n"))


def _write(stream: TextIO, text: str) -> None:
    """At once, so that in one pipe what was said first is read first. A command whose reader has
    seen enough (``init | head``) goes on to its end, and its exit code is what it found."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _as_run_here(text: str) -> str:
    if "pytest --hk-mode=" not in text:
        return text
    from pytest_housekeeping.plugin.refusals import as_run_here

    return as_run_here(text)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "init": _init,
    "new": _new,
    "objects": _objects,
    "platform": _platform,
    "sandbox": _sandbox,
    "audit": _audit,
    "approve": _approve,
    "review": _review,
    "status": _status_of_production,
    "adopt-drift": _adopt_drift,
    "comment": _comment,
    "docs": _docs,
}

if __name__ == "__main__":
    sys.exit(main())
