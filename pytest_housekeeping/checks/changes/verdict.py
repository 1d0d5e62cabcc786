"""The verdict on a batch: every rule asked, each finding with its level, its fix, its exemption."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.changes.levels import Thresholds, heaviest, level_of
from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.statements import deciding_files
from pytest_housekeeping.checks.changes.subject import Subject, table_of
from pytest_housekeeping.declarations.rules import fill
from pytest_housekeeping.evidence.report.display import byte_size
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.relations_now import RelationNow

NEEDLESS = "accepted-in-vain"


@dataclass(frozen=True, kw_only=True)
class Production:
    """What is known of production: the relations that the batch touches, and the names of all
    objects that stand there. ``empty`` are those that hold no row."""

    relations: Mapping[str, RelationNow]
    objects: frozenset[str]
    empty: frozenset[str] = frozenset()
    thresholds: Thresholds


@dataclass(kw_only=True)
class _Judging:
    """A verdict while it is made; ``once`` are the names in production by those of now."""

    production: Production
    once: dict[str, str] = field(default_factory=dict)
    accepted: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def findings(self, subject: Subject, rules: Iterable[ChangeRule]) -> Iterator[Finding]:
        for rule in rules:
            hits: dict[str, Hit] = {}
            for found in rule.judge(subject):
                hit = found if rule.of_partition else _of_whole(subject, found)
                if self._stood(hit):
                    hits.setdefault(hit.object, hit)
            for hit in hits.values():
                yield self._finding(subject, rule, hit)
        for each in subject.facts.renamed:
            if each.kind == "table":
                self.once[each.after] = self.once.pop(each.before, each.before)

    def _stood(self, hit: Hit) -> bool:
        """Whether it is about what production has: what the batch makes, nobody uses yet."""
        if hit.relations:
            return self._now(hit.relations[0]) is not None
        return any(name.endswith(f" {hit.object}") for name in self.production.objects)

    def _now(self, relation: str) -> RelationNow | None:
        return self.production.relations.get(self.once.get(relation, relation))

    def _finding(self, subject: Subject, rule: ChangeRule, hit: Hit) -> Finding:
        known = [now for each in hit.relations if (now := self._now(each)) is not None]
        level = self._level(subject, rule, hit, known)
        path = _path_of(subject, rule, hit)
        told = "; ".join(_about(each) for each in known)
        detail = hit.said + f" ({told})" * bool(told) + f", by {path}" * bool(path)
        values = {"object": hit.object, **hit.values}
        values |= {"table": hit.relations[0]} if hit.relations else {}
        fix = fill(rule.fix, values)
        accepting = [
            (file.path, each.reason)
            for file in subject.files
            for each in file.accepts
            if (each.rule, each.object) == (rule.id, hit.object)
        ]
        for path, reason in accepting:
            self.accepted[path, rule.id, hit.object] = reason
            detail, level = f"{detail}; accepted by {path}: {reason}", Level.NOTICE
        if level is Level.ERROR:
            fix += (
                "; where that is known and wanted, at the top of the file:"
                f" -- hk: accepts {rule.id} of {hit.object}: REASON"
            )
        return Finding(
            rule=rule.id,
            level=level,
            object=hit.object,
            detail=f"{detail}. {rule.effect}",
            fix=fix,
        )

    def _level(
        self, subject: Subject, rule: ChangeRule, hit: Hit, known: Sequence[RelationNow]
    ) -> Level:
        harm = hit.harm or rule.harm
        if harm is Harm.DATA:
            if any(each.relation in self.production.empty for each in known):
                return Level.NOTICE
            files = deciding_files(subject, hit.object, hit.step)
            if files and all(file.decided for file in files):
                return Level.WARNING
        weights = (self.production.thresholds.weigh(each) for each in known)
        return level_of(harm, heaviest(weights))


def changes_verdict(
    subjects: Sequence[Subject],
    production: Production,
    rules: Sequence[ChangeRule] = CHANGE_RULES,
) -> Verdict:
    """What the segments of a batch do to others who use the database, by every rule.

    What a file accepts is told as a notice with its reason, and in the evidence; what it accepts
    in vain is a warning.
    """
    judging = _Judging(production=production)
    findings = [each for subject in subjects for each in judging.findings(subject, rules)]
    findings += _needless(subjects, judging.accepted, {rule.id for rule in rules})
    told = (
        f"{path} accepts {rule} of {name}: {reason}"
        for (path, rule, name), reason in judging.accepted.items()
    )
    judged = sum(len(each.facts.changes) + len(each.facts.locks) for each in subjects)
    return Verdict(
        examined=max(judged, len(subjects)),
        findings=tuple(findings),
        unit="changes and locks",
        evidence=tuple(told),
    )


def _path_of(subject: Subject, rule: ChangeRule, hit: Hit) -> str:
    """The file that did it. Who has locked a table first need not be who drops something of it."""
    if (hit.harm or rule.harm) is Harm.DATA:
        files = deciding_files(subject, hit.object, hit.step)
        if len(files) == 1:
            return files[0].path
    return subject.path_of(hit.step)


def _of_whole(subject: Subject, hit: Hit) -> Hit:
    """What is found of each partition is told once, of the whole table, if that is touched too."""
    relation = hit.relations[0] if hit.relations else ""
    root = subject.root_of(relation)
    if root == relation or not subject.mode(root):
        return hit
    name = hit.object
    if name == relation or name.endswith(f" on {relation}") or table_of(name) == relation:
        name = name.replace(relation, root)
    return replace(hit, object=name, relations=(root, *hit.relations[1:]))


def _needless(
    subjects: Sequence[Subject], accepted: Container[tuple[str, str, str]], known: Container[str]
) -> Iterator[Finding]:
    for subject in subjects:
        for file in subject.files:
            for each in file.accepts:
                if (file.path, each.rule, each.object) in accepted:
                    continue
                why = "that rule has found nothing there" if each.rule in known else "no such rule"
                yield Finding(
                    rule=NEEDLESS,
                    level=Level.WARNING,
                    object=file.path,
                    detail=f"accepts {each.rule} of {each.object}: {why}",
                    fix="take the line out of the file, or correct it; the rules:"
                    " python -m pytest_housekeeping docs changes",
                )


def _about(now: RelationNow) -> str:
    """``shop.orders: about 1,200,000 rows, 210 MB, 14 writes/s``."""
    rows = "rows not known" if now.rows is None else f"about {now.rows:,} rows"
    size = "size not known" if now.size is None else byte_size(now.size)
    writes = "writes not known" if now.writes_per_s is None else f"{now.writes_per_s:,.4g} writes/s"
    return f"{now.relation}: {rows}, {size}, {writes}"
