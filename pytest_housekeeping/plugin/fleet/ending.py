"""The end of a run on a fleet: its record and its page, and what it tells people and machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import EvidenceError, HousekeepingError, named
from pytest_housekeeping.evidence.fleet_record import AWAY, FAILED, PASSED, FleetRecord
from pytest_housekeeping.evidence.fleet_standing import outcome_of_fleet, untold
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.evidence.report.fleet import fleet_page, fleet_text, fleet_title
from pytest_housekeeping.evidence.report.wording import COLOURS
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.machines import INCOMPLETE, annotate, reports_folder, told_here
from pytest_housekeeping.plugin.refusals import as_run_here
from pytest_housekeeping.plugin.stash import ENDED, FINISHED, TOLD
from pytest_housekeeping.plugin.step_properties import tell_suite
from pytest_housekeeping.promotion.fleet.record import Kept, Waves, keep, record_of
from pytest_housekeeping.promotion.fleet.remarks import told_of_fleet, write_reports_of_fleet
from pytest_housekeeping.promotion.fleet.survey import told_of
from pytest_housekeeping.promotion.fleet.told import finished_by, tell_github
from pytest_housekeeping.promotion.fleet.waves import CANARY
from pytest_housekeeping.promotion.fleet.work import Work
from pytest_housekeeping.promotion.production.of_fleet.databases import State, read_databases
from pytest_housekeeping.promotion.production.of_fleet.handed import HandedBack, handed_back
from pytest_housekeeping.promotion.recording.shown_beside import finish_page
from pytest_housekeeping.promotion.run_facts import new_run
from pytest_housekeeping.whole_file import NO_ROOM

_NOT_WHOLE = "THE EVIDENCE IS NOT COMPLETE"
_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class FleetEnding:
    """Registered in the process that leads. ``failed`` says of a group why its rehearsal did, and
    ``said`` is what else there is to tell of the fleet."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Config,
        work: Work,
        mode: Mode,
        *,
        failed: dict[str, str],
        said: list[str],
    ) -> None:
        self.config = config
        self.settings = settings
        self.work = work
        self.mode = mode
        self.failed = failed
        self.said = said
        self.started_at = datetime.now(UTC)
        self.id = new_run(mode).id
        self.record: FleetRecord | None = None
        self.kept = Kept(branch="", told=())
        self.page: Path | None = None
        self._html: Any = None
        self._no_page = False

    def prepare(self) -> None:
        """Where pytest-html is there, it writes the page beside the record."""
        option = self.config.option
        if self.config.pluginmanager.hasplugin("html"):
            folder = self.settings.root / self.work.fleet.audit
            self.page = folder / f"{self._record(whole=False).stem}.html"
            option.htmlpath, option.self_contained_html = str(self.page), True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Between the terminal, which reports behind this, and pytest-html, which writes in it."""
        for wave in self.work.waves:
            # Also of one whose process is gone, and for which nobody has waited.
            for name in wave.databases:
                self.work.result(self.work.item(wave.name, name))
        lacking, whole = self._standing()
        self.record = self._record(whole=whole)
        tell_suite(self.config, _of_fleet(self.record))
        try:
            return (yield)
        except OSError as error:
            self._leave_out_page(error)
        finally:
            whole = self._keep() and whole
            self.said += self._told(lacking)
            if not whole and session.exitstatus in _WELL:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._tell(session, self.record)
            self.config.stash[ENDED] = int(session.exitstatus)

    def pytest_html_results_table_row(self, cells: list[str]) -> None:
        """The page has tables of its own."""
        cells.clear()

    def pytest_html_report_title(self, report: Any) -> None:
        report.set_data("environment", {})
        self._html = report

    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        if self.record is not None:
            self._html.title = fleet_title(self.record)
            prefix.append(fleet_page(self.record))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section(f"fleet {self.work.fleet.name}")
        steps: list[str] = []
        if self.record is not None:
            text = fleet_text(self.record)
            colour = {COLOURS[text.tone]: True}
            terminalreporter.line(f"{text.headline}. {text.meaning}", bold=True, **colour)
            steps = [f"next: {step}" for step in text.next_steps]
        told = (*told_of(self.work.survey), *self._refused(), *self.said, *steps, *self.kept.told)
        for line in told:
            terminalreporter.line(as_run_here(line, self.config))
        annotate(self.config)

    def _refused(self) -> Iterator[str]:
        """Of a plan: for what a promotion would be refused, group by group."""
        for group in self.work.survey.groups if self.mode is Mode.PLAN else ():
            result = self.work.result(self.work.item("groups", group.name))
            if result is not None and result.how == PASSED:
                for line in result.detail.splitlines()[1:]:
                    yield line if line.startswith(" ") else f"{group.name}: {line}"

    def _tell(self, session: pytest.Session, record: FleetRecord) -> None:
        """The reports, and the one object."""
        told = self.config.stash[TOLD] = told_of_fleet(self.settings, self.work.fleet, record)
        code, folder = int(session.exitstatus), reports_folder(self.config)
        if folder is not None:
            try:
                self.said.append(write_reports_of_fleet(folder, record, told, exit_code=code))
            except EvidenceError as error:
                self.said.append(f"{INCOMPLETE}: {error}")
                session.exitstatus = code = code or int(pytest.ExitCode.TESTS_FAILED)
        finished = finished_by(
            record, self.kept, told.remarks, self._place(), exit_code=code, said=self.said
        )
        self.config.stash[FINISHED] = told_here(finished, self.config)

    def _standing(self) -> tuple[list[str], bool]:
        """The databases that lack a pass, and whether nothing is amiss."""
        work, results, seen = self.work, self.work.results(), self.work.survey
        passed = {item for item, result in results.items() if result.how == PASSED}
        rows = (("rows", name) for group in seen.behind for name in group.names)
        waves = ((wave.name, name) for wave in work.waves for name in wave.databases)
        due = rows if self.mode is Mode.PLAN else waves
        lacking = [name for place, name in due if work.item(place, name) not in passed]
        # Those that are in no wave are for the shares that come behind the canaries.
        left = () if work.shard == CANARY else (*seen.away, *seen.wrong)
        amiss = lacking or left or self.failed or not seen.groups
        return lacking, not amiss and all(each.how != FAILED for each in results.values())

    def _told(self, lacking: list[str]) -> Iterator[str]:
        if self.mode is Mode.PROD and not self.work.shard:
            yield from self._born()
        for group, why in self.failed.items():
            # Its own item says so, where it was not deselected.
            if self.work.result(self.work.item("groups", group)) is None:
                yield f"{group}: {why}"
        known = {each.database.name for each in self.work.survey.away}
        for each in self.work.results().values():
            name = each.item.rpartition("::")[2]
            if each.how == AWAY and name not in known:
                yield f"{name}: away: {each.detail}"
        if lacking:
            unknown = self.record is not None and untold(self.record)
            done = "known to be promoted" if unknown else "promoted"
            then = "; run it again: it goes on with these"
            if self.mode is not Mode.PROD:
                done, then = "planned" if self.mode is Mode.PLAN else "verified", ""
            yield f"{plural(len(lacking), 'database')} not {done}: {named(lacking)}{then}"

    def _born(self) -> Iterator[str]:
        """Databases that were added to the list while this went on."""
        known = {each.database.name for each in self.work.survey.seen}
        try:
            listed = read_databases(self.settings, self.work.fleet)
        except HousekeepingError as error:
            yield f"who was added meanwhile is not known: {error.found}"
            return
        for each in listed:
            if each.name not in known and each.state is not State.ARCHIVED:
                yield f"{each.name} was added meanwhile, and is next: run it again"

    def _waves(self, *, whole: bool) -> Waves:
        work = self.work
        found = (name for wave in work.waves for name in wave.databases)
        backs = {name: handed_back(work.back_of(name)) for name in found}
        return Waves(
            config=self.settings,
            work=work,
            mode=self.mode,
            id=self.id,
            started_at=self.started_at,
            backs={name: back for name, back in backs.items() if isinstance(back, HandedBack)},
            whole=whole,
        )

    def _record(self, *, whole: bool) -> FleetRecord:
        return record_of(self._waves(whole=whole))

    def _keep(self) -> bool:
        """Whether the record is written and committed, and told where a workflow hears it."""
        record = self.record
        if record is None:
            return False
        page = self._finished_page()
        if page is not None:
            record = self.record = record.with_page(page.read_bytes())
        try:
            self.kept = keep(self._waves(whole=record.complete), record, page)
            tell_github(record, self.kept, self._place())
        except (HousekeepingError, OSError) as error:
            self.said.append(f"{_NOT_WHOLE}: {error}")
            return False
        return self.kept.whole and not self._no_page

    def _finished_page(self) -> Path | None:
        page = self.page if self.page is not None and self.page.is_file() else None
        if page is not None:
            try:
                finish_page(page)
            except OSError as error:
                self._leave_out_page(error)
                return None
        return page

    def _leave_out_page(self, error: OSError) -> None:
        """It is not left half, and the record goes without it."""
        self._no_page = True
        self.said.append(
            f"{_NOT_WHOLE}: the page of the fleet cannot be written: {error.strerror}\n"
            "  why: the record is there without it\n"
            f"  fix: {NO_ROOM}"
        )
        if self.page is not None:
            self.page.unlink(missing_ok=True)

    def _place(self) -> str:
        """Where the record lies, from the root and without an ending."""
        return f"{self.work.fleet.audit}/{self.record.stem}" if self.record else ""


def _of_fleet(record: FleetRecord) -> Iterator[tuple[str, str]]:
    """What the suite of JUnit says of the run."""
    yield from {"run": record.id, "mode": record.mode.value, "fleet": record.fleet}.items()
    outcome = outcome_of_fleet(record).value
    yield from {"outcome": outcome, "commit": record.commit or ""}.items()
