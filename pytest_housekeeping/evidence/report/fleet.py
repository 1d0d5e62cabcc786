"""A run on a fleet for a person: the outcome in words, databases by state, groups, waves."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.fleet_record import (
    ARCHIVED,
    AWAY,
    FAILED,
    LEFT,
    LEFT_OUT,
    PASSED,
    PENDING,
    UP_TO_DATE,
    FleetRecord,
    GroupRecord,
    MemberRecord,
)
from pytest_housekeeping.evidence.fleet_standing import STATES, counted, troubles, untold
from pytest_housekeeping.evidence.report.display import duration, plural, shortened, visible
from pytest_housekeeping.evidence.report.html import MARK
from pytest_housekeeping.evidence.report.opening import Fact, web_address
from pytest_housekeeping.evidence.report.templates import own_text, template
from pytest_housekeeping.evidence.report.wording import OutcomeText
from pytest_housekeeping.model import Mode

# What the state of a database is called where the page colours it.
_TONES = {FAILED: "failed", LEFT_OUT: "failed", PASSED: "passed", UP_TO_DATE: "passed"}
_TONES |= dict.fromkeys((AWAY, LEFT, PENDING, ARCHIVED), "skipped")
_MOST_TROUBLES = 100
_MOST_DETAIL = 1500


def fleet_text(record: FleetRecord) -> OutcomeText:
    """The outcome, what is true now, and what to do."""
    counts = record.counts
    live = sum(count for how, count in counts.items() if how != ARCHIVED)
    again = record.command(record.mode)
    if record.mode is Mode.VERIFY:
        if record.complete:
            meaning = "Every check of every database passed. Nothing was changed."
            return _text("good", f"Verified: {plural(live, 'database')}", meaning)
        wrong = live - counts.get(PASSED, 0)
        others = "Every check of the others passed." * (wrong < live)
        meaning = f"{others or 'No database passed every check.'} Nothing was changed."
        head = f"{wrong:,} of {plural(live, 'database')} not verified"
        amiss = [each.name for _, each in record.members if each.how not in (PASSED, ARCHIVED)]
        one = f"Run each by itself: pytest --hk-mode=verify --hk-target={record.fleet}/"
        return _text("bad", head, meaning, *(one + name for name in amiss[:1]))
    if record.mode is Mode.PLAN:
        if not record.complete:
            meaning = "What prevented it is listed here. Nothing was changed."
            return _text("bad", "Not planned as a whole", meaning, f"Repair it, then: {again}")
        if not any(group.pending for group in record.groups):
            return _text("good", "Nothing pending", "Every database has every file.")
        meaning = "The batch ran on a copy of one database of each group, and the rows of every"
        meaning += " database were checked. Nothing was changed."
        # Behind what was rehearsed a group tells for what a promotion would be refused.
        refused = any("\n" in each.detail for each in record.groups if each.how == PASSED)
        then = (
            "Repair what a promotion would be refused for, then promote" if refused else "Promote"
        )
        then = f"{then}: {record.command(Mode.PROD)}"
        return _text("good", f"Planned: {plural(live, 'database')}", meaning, then)
    return _promoted(record, live, again)


def _promoted(record: FleetRecord, live: int, again: str) -> OutcomeText:
    done = record.counts.get(PASSED, 0)
    meaning = "Each database has its own transaction; none is half changed."
    if record.complete and not done:
        return _text("good", "Nothing to promote", "Every database has every file already.")
    if record.complete:
        merge = "Merge the evidence, so that the next run builds on it."
        return _text("good", f"Promoted: {plural(done, 'database')}", meaning, merge)
    lacking = live - done - record.counts.get(UP_TO_DATE, 0)
    head = f"{lacking:,} of {plural(live, 'database')} not promoted"
    if unknown := untold(record):
        head = f"{lacking:,} of {plural(live, 'database')} not known to be promoted"
        meaning += f" The run of {named(unknown, 8)} began and left no record: the history of the"
        meaning += " database says what it did, and the next run goes by that."
    tone = "bad" if record.counts.get(FAILED) or not done else "unsure"
    return _text(tone, head, meaning, f"Repair what failed, then continue with the rest: {again}")


def _text(tone: str, headline: str, meaning: str, *steps: str) -> OutcomeText:
    return OutcomeText(tone=tone, headline=headline, meaning=meaning, next_steps=steps)


def fleet_title(record: FleetRecord) -> str:
    """The heading, and the name of the browser's tab."""
    when = record.started_at.strftime("%Y-%m-%d %H:%M UTC")
    shard = f" {record.shard}" if record.shard else ""
    headline = fleet_text(record).headline
    return visible(f"{headline} · {record.mode} · fleet {record.fleet}{shard} · {when}")


def fleet_facts(record: FleetRecord) -> list[Fact]:
    """Who, what and where; what nobody knows is left out."""
    took = (record.finished_at - record.started_at).total_seconds()
    started = f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC"
    told = ", ".join(f"{count:,} {how}" for how, count in counted(record))
    facts = (
        Fact(name="fleet", value=record.fleet, more=f"share {record.shard}" * bool(record.shard)),
        Fact(name="databases", value=told),
        Fact(name="run by", value=record.actor),
        Fact(name="commit", value=record.commit or "no commit"),
        Fact(name="workflow", value=record.ci_url, url=web_address(record.ci_url)),
        Fact(name="run", value=record.id, more=f"{record.mode}, {started}, {duration(took)}"),
    )
    return [each for each in facts if each.value]


def wave_rows(record: FleetRecord) -> Iterator[tuple[str, int, str, str]]:
    """Each wave: how many, how they stand, and how long their runs took together."""
    for wave in record.waves:
        counts = Counter(each.how for each in wave.databases)
        told = ", ".join(f"{counts[how]:,} {how}" for how in STATES if counts[how])
        took = sum(each.seconds for each in wave.databases)
        yield wave.name, len(wave.databases), told, duration(took) if took else ""


def group_told(group: GroupRecord) -> str:
    """``3 databases, 1 applied, 2 files pending``."""
    pending = f"{plural(len(group.pending), 'file')} pending" if group.pending else "up to date"
    return f"{plural(len(group.databases), 'database')}, {group.applied:,} applied, {pending}"


def fleet_page(record: FleetRecord) -> str:
    """For the prefix of pytest_html_results_summary: styles, and all that is told of the run."""
    text, found = fleet_text(record), troubles(record)
    groups = {name: group.name for group in record.groups for name in group.databases}
    return template("fleet.html.jinja").render(
        css=own_text("report.css"),
        script=own_text("search.js"),
        record=record,
        text=text,
        mark=MARK[text.tone],
        facts=fleet_facts(record),
        troubles=[
            (each, shortened(each.said.strip(), _MOST_DETAIL)) for each in found[:_MOST_TROUBLES]
        ],
        more_troubles=max(0, len(found) - _MOST_TROUBLES),
        groups=[(group, group_told(group), named(group.databases, 8)) for group in record.groups],
        waves=list(wave_rows(record)),
        members=[
            (each, wave, groups.get(each.name, ""), _page_of(each)) for wave, each in record.members
        ],
        tones=_TONES,
    )


def _page_of(member: MemberRecord) -> str:
    """Where the page of its own run lies, from the record's folder; "" for none."""
    if not member.audit:
        return ""
    # ops/tenants/acme/audit beside ops/tenants/audit.
    folder = posixpath.dirname(posixpath.dirname(posixpath.dirname(member.audit)))
    page = posixpath.relpath(member.audit, posixpath.join(folder, "audit"))
    return quote(page.removesuffix(".json") + ".html")
