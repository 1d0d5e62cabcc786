"""Whether the audits of staging are signed that had to be, by those who could sign them then.

Who may sign, and whether anybody has to, is what the commit says that an audit attests: the file
that its ``evidence_signers`` names. What attests a commit of before there were signers needs no
signature. Anybody may run staging without a key, so an audit that is not signed is a fault only
where a promotion or a rollback says that it was proved by it; then the commit that was promoted
says who had to sign.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import SETTINGS, settings_in
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.git.objects import (
    FETCH,
    OBJECT_NAME,
    STAGING_LOG,
    GitCommands,
    files_at,
    looked_up,
)
from pytest_housekeeping.evidence.git.origin import Origin, all_origins
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.signatures import require_program, signer_of
from pytest_housekeeping.model import Finding, Level, Mode

RULE = "audit-unsigned"

_Ground = tuple[str, str]
"""A commit that an audit attests, and the folder that the audit stands in."""


def signature_findings(
    git: GitCommands, records: Sequence[Record], signed: MutableMapping[str, str] | None
) -> Iterator[Finding]:
    """Every audit of staging that had to be signed and is not, and what cannot be judged.

    ``signed`` is told, by path, who has signed one that had to be. Raises EvidenceError where one
    had to be signed and there is no program to prove it with.
    """
    whole = [each for each in records if not each.fault]
    takers: dict[str, list[Record]] = defaultdict(list)
    for record in whole:
        for path in record.proved_by:
            takers[path].append(record)
    grounds = {_ground(each) for each in whole if each.mode != Mode.VERIFY}
    demanded = demanded_at(git, grounds, ("evidence_signers",))
    staged = [each for each in whole if each.mode == Mode.STAGING]
    asked, unknown = [], []
    for record in staged:
        known = [each for each in (*takers[record.path], record) if _ground(each) in demanded]
        if not known:
            unknown.append(record)
        elif (signers := demanded[_ground(known[0])]) is not None:
            asked.append((record, signers))
    yield from _judged(git, asked, takers, {} if signed is None else signed)
    here = {record.path for record in records}
    for path, group in takers.items():
        if path not in here and any(demanded.get(_ground(each)) is not None for each in group):
            yield _missing(path, group[0])
    if unknown and any(signers is not None for signers in demanded.values()):
        yield _not_judged(unknown)


def _ground(record: Record) -> _Ground:
    return record.commit, record.version.folder


def demanded_at(
    git: GitCommands, grounds: Collection[_Ground], keys: Sequence[str]
) -> Mapping[_Ground, bytes | None]:
    """The file of signers that each commit has for the project whose evidence lies in a folder, as
    the first of these settings names it that is set.

    None where nobody has to sign, an empty file where the one that is named is not there. A commit
    that is not in this clone is left out.
    """
    plausible = sorted(each for each in grounds if OBJECT_NAME.fullmatch(each[0]))
    kinds = looked_up(git, [commit for commit, _ in plausible])
    there = [each for each, (_, kind) in zip(plausible, kinds, strict=True) if kind == "commit"]
    texts = files_at(
        git,
        [
            (commit, posixpath.join(root, SETTINGS))
            for commit, folder in there
            for root in _roots(folder)
        ],
    )
    named: dict[_Ground, str] = {}
    for commit, folder in there:
        for root in _roots(folder):
            settings = settings_in(texts.get((commit, posixpath.join(root, SETTINGS)), b""))
            if isinstance(settings, dict) and _place(root, settings, "audit") == folder:
                key = next((key for key in keys if settings.get(key)), "")
                if key:
                    named[commit, folder] = _place(root, settings, key)
                break
    files = files_at(git, [(commit, path) for (commit, _), path in named.items()])
    return {
        each: files.get((each[0], named[each]), b"") if each in named else None for each in there
    }


def _roots(folder: str) -> Iterator[str]:
    """The folders above one of evidence, the nearest first: one of them is the project's."""
    for parent in PurePosixPath(folder).parents:
        yield "" if parent.as_posix() == "." else parent.as_posix()


def _place(root: str, settings: Mapping[str, object], key: str) -> str:
    """What a setting names, from the root of the repository."""
    return posixpath.normpath(posixpath.join(root, str(settings.get(key, getattr(Config, key)))))


def _judged(
    git: GitCommands,
    asked: Sequence[tuple[Record, bytes]],
    takers: Mapping[str, Sequence[Record]],
    signed: MutableMapping[str, str],
) -> Iterator[Finding]:
    if not asked:
        return
    require_program()
    origins = all_origins(
        git, Mode.STAGING, [(record.path, record.version.oid) for record, _ in asked]
    )

    @cache
    def signer_or_why(commit: str, signers: bytes) -> tuple[str, str]:
        try:
            return signer_of(git, commit, signers), ""
        except EvidenceError as error:
            return "", error.found

    for record, signers in asked:
        brought: Sequence[Origin] = origins[record.path, record.version.oid]
        judged = [signer_or_why(each.commit, signers) for each in brought if each.whole]
        reasons = [why for _, why in judged]
        if by := next((name for name, _ in judged if name), ""):
            signed[record.path] = by
            continue
        if brought and not reasons:
            said = "which commit has brought it is not known in a shallow clone"
        else:
            said = reasons[0] if reasons else f"it is not on {STAGING_LOG}, where signers bring it"
        yield _unsigned(record, said, takers.get(record.path, ()))


def _unsigned(record: Record, said: str, takers: Sequence[Record]) -> Finding:
    if not takers:
        return Finding(
            rule=RULE,
            level=Level.WARNING,
            object=record.path,
            detail=f"{said}; no promotion was proved by it, and production does not take it",
            fix=f"none, where somebody has run staging without a key; git log -- {record.path} says"
            " who has brought it",
        )
    return Finding(
        rule=RULE,
        level=Level.ERROR,
        object=record.path,
        detail=f"{said}; the {takers[0].mode} run {takers[0].run} says that it was proved by it",
        fix=f"fetch all evidence, a signer may have brought it elsewhere: {FETCH}; if not, find out"
        f" who has brought it (git log {STAGING_LOG}), and prove what was promoted: pytest"
        " --hk-mode=staging on its commit, as a signer, and pytest --hk-mode=verify",
    )


def _missing(path: str, taker: Record) -> Finding:
    return Finding(
        rule=RULE,
        level=Level.ERROR,
        object=path,
        detail=f"the {taker.mode} run {taker.run} says that it was proved by it, and no branch has"
        " it: whether a signer has signed it is not known",
        fix=f"fetch all evidence: {FETCH}; what was deleted comes back from a clone that has it",
    )


def _not_judged(unknown: Sequence[Record]) -> Finding:
    return Finding(
        rule=RULE,
        level=Level.NOTICE,
        object=unknown[0].path,
        detail=f"attests a commit that is not in this clone, as {len(unknown)} audits of staging do"
        if len(unknown) > 1
        else "attests a commit that is not in this clone",
        fix="whether they had to be signed is not known; no promotion here was proved by them, and"
        " production judges them by the signers of the commit that it promotes",
    )
