"""What 200 runs of the repository's own sample leave in git, and with staging's log thinned.

One run is real; of it come the others, each with a commit, a moment, durations and an id of its
own, in JSON and report. They are committed as runs commit theirs and pushed as the workflow pushes;
the log is thinned whenever `audit --thin` would do so. Told are the objects that a mirror of the
remote holds, those of a log that nobody thins, and whether a plain clone has fetched any of it.
Exits with 1 when the mirror is above the limit, or a clone has fetched evidence of staging.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from side_by_side import measured, plain_environment, pytest_command, scratch, verdict

from pytest_housekeeping.evidence import Repository, open_repository, stem
from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.model.audit import Artifact, Audit, Chain
from pytest_housekeeping.promotion.commands.thin import thin

LIMIT_MB = 5.0
# The proof of all that is there goes before a thinning; here it is not what is measured.
EACH = 25
LOG = "housekeeping/audit/staging"
REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    with scratch("hk-evidence-size-") as folder:
        clone = folder / "clone"
        git(folder, "clone", "--quiet", str(REPOSITORY), str(clone))
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
        git(clone, "remote", "set-url", "origin", str(folder / "remote.git"))
        audit, report = real_run(clone)
        bare = evidence_of(clone, audit, report, runs, thinned=False)
        thinned = evidence_of(clone, audit, report, runs, thinned=True)
        print(f"{f'{runs} runs, a log that nobody thins':44} {bare:8.2f} MB")
        git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
        git(folder, "clone", "--quiet", str(folder / "remote.git"), "plain")
        fetched = git(folder / "plain", "for-each-ref", f"refs/**/{LOG}", f"refs/{LOG}")
        if fetched:
            sys.exit(f"a plain clone has fetched {fetched}")
    return verdict(f"{runs} runs, thinned as the workflow does", thinned, LIMIT_MB, "MB")


def real_run(clone: Path) -> tuple[Audit, str]:
    measured(pytest_command(clone, "--hk-mode=staging", "--hk-no-commit"))
    (path,) = (clone / "ops/audit").glob("staging_*.json")
    report = path.with_suffix(".html").read_text(encoding="utf-8")
    return from_json(path.read_bytes()), report


def evidence_of(clone: Path, audit: Audit, report: str, runs: int, *, thinned: bool) -> float:
    """Megabytes of the objects of staging's log, as a mirror of the remote has them."""
    remote = clone.parent / "remote.git"
    for place, ref in ((clone, f"refs/heads/{LOG}"), (remote, f"refs/{LOG}")):
        git(place, "update-ref", "-d", ref)
    repository = open_repository(clone)
    if repository is None:
        sys.exit(f"{clone} is no repository")
    with repository:
        made = other_runs(repository, audit, report, runs)
        for number, (files, message) in enumerate(made, start=1):
            repository.commit_evidence(LOG, files, message, None)
            if number % EACH == 0 or number == runs:
                git(clone, "push", "--quiet", "origin", f"{LOG}:refs/{LOG}")
                told = list(thin(clone)) if thinned else []
                print(*told, sep="\n", end="\n" if told else "")
    mirror = clone.parent / f"mirror-{thinned}.git"
    git(clone.parent, "init", "--quiet", "--bare", str(mirror))
    git(mirror, "fetch", "--quiet", remote.as_uri(), f"refs/{LOG}:refs/{LOG}")
    git(mirror, "repack", "-adq")
    return sum(each.stat().st_size for each in mirror.rglob("*.pack")) / 1e6


def other_runs(
    repository: Repository, audit: Audit, report: str, runs: int
) -> Iterator[tuple[dict[str, bytes], str]]:
    chance, previous = random.Random(7), None  # the same figures each time
    commit = repository.head() or ""
    tree = git(repository.root, "rev-parse", f"{commit}^{{tree}}")
    for number in range(runs):
        commit = git(repository.root, "commit-tree", "-p", commit, "-m", f"{number}", tree)
        files, previous = one_run(audit, report, number, commit, previous, chance)
        said = f"Run {number:08x}, plan {audit.plan.digest[:12]}, audit {previous}"
        yield files, f"staging promoted: {len(audit.steps)} steps on {commit[:12]}\n\n{said}\n"


def one_run(
    audit: Audit,
    report: str,
    number: int,
    commit: str,
    previous: str | None,
    chance: random.Random,
) -> tuple[dict[str, bytes], str]:
    later = timedelta(hours=number)
    run = audit.run.model_copy(
        update={
            "id": f"{number:08x}",
            "started_at": audit.run.started_at + later,
            "finished_at": audit.run.finished_at + later,
        }
    )
    steps = tuple(
        each.model_copy(update={"duration_s": round(each.duration_s * chance.uniform(0.5, 2), 4)})
        for each in audit.steps
    )
    name = f"ops/audit/{stem(run)}"
    text = report.replace(stem(audit.run), stem(run)).replace(audit.run.id, run.id)
    page = re.sub(r"\b\d+(?= ms\b)", lambda _: str(chance.randrange(1, 900)), text).encode()
    made = audit.model_copy(
        update={
            "run": run,
            "steps": steps,
            "source": audit.source.model_copy(update={"commit": commit}),
            "chain": Chain(previous=previous),
        }
    )
    sha256 = hashlib.sha256(page).hexdigest()
    made = with_artifacts(made, [Artifact(path=f"{name}.html", sha256=sha256)])
    files = {f"{name}.html": page, f"{name}.json": to_json(made).encode()}
    return files, made.chain.digest


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *command],
        env=plain_environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
