"""The options that the plugin adds to pytest's command line, each with what it means."""

from __future__ import annotations

from typing import Any

JSON = "--hk-json"
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--hk-mode",
        {
            "choices": ("staging", "plan", "prod", "verify", "rollback"),
            "help": "staging: try everything on a throwaway PostgreSQL and record the evidence;"
            " plan: show what a promotion would do to the database of PG*_PROD, changing nothing;"
            " prod: promote to the database of PG*_PROD, in one transaction, if all is proved;"
            " verify: run every check on the database of PG*_PROD, changing nothing;"
            " rollback: undo a promotion of it, in one transaction, if all is proved",
        },
    ),
    (
        "--hk-target",
        {
            "metavar": "NAME",
            "help": "run against this database of [tool.housekeeping.targets], with its"
            " variables, evidence and pin; without it prod, that of PG*_PROD",
        },
    ),
    (
        "--hk-fleet",
        {
            "metavar": "NAME",
            "help": "plan, prod, verify: all databases of [tool.housekeeping.fleet.NAME]: one"
            " rehearsal for identical databases, promoted in waves",
        },
    ),
    (
        "--hk-shard",
        {
            "metavar": "N/M",
            "help": "plan, prod, verify: the N-th of M shares of the databases of --hk-fleet;"
            " prod: canary, only the canaries of all shares",
        },
    ),
    (
        "--hk-confirm",
        {
            "metavar": "WORD",
            "help": "prod: PROMOTE, or the word of the target; rollback: ROLLBACK; in exactly these"
            " letters",
        },
    ),
    (
        "--hk-to",
        {
            "metavar": "RUN|NUMBER",
            "help": "rollback: go back to the state before this promotion (the id of its run) or"
            " this migration (its number), undoing it and everything after it",
        },
    ),
    (
        "--hk-as",
        {
            "metavar": "ROLE",
            "help": "plan: the role that promotes, if the plan connects as another one and no"
            " promotion has recorded it yet",
        },
    ),
    (
        "--hk-segments",
        {
            "metavar": "N",
            "type": int,
            "help": "prod, rollback: acknowledge that it takes N transactions and not one",
        },
    ),
    (
        "--hk-plan",
        {
            "metavar": "DIGEST",
            "help": "prod: promote exactly what was planned under this digest, and refuse anything"
            " that has changed since, by name",
        },
    ),
    (
        "--hk-emergency",
        {
            "metavar": "REASON",
            "help": "prod: do not wait for evidence of staging, approvals, the window or sessions"
            " in the way; everything is still proved, and a review stays open until somebody"
            " closes it",
        },
    ),
    (
        "--hk-baseline",
        {
            "metavar": "VERSION",
            "help": "prod: record the migrations up to this version (auto: those in another tool's"
            " history) as applied, after showing that they make exactly what is there, or what was"
            " made by hand since the last promotion",
        },
    ),
    (
        "--hk-accept-drift",
        {
            "metavar": "FINGERPRINT",
            "help": "prod: continue although the schema was changed outside the files, to exactly"
            " this; rollback: accept exactly this difference from the backup",
        },
    ),
    (
        "--hk-in-place",
        {
            "action": "store_true",
            "help": "prod, rollback: prove everything inside production's own transaction, and"
            " nothing on a copy; its locks are held for as long as that takes",
        },
    ),
    (
        "--hk-no-canary",
        {
            "action": "store_true",
            "help": "verify: has no effect any more; made-up rows are only written to a copy",
        },
    ),
    (
        "--hk-staging-url",
        {
            "metavar": "URL",
            "help": "staging: use this server instead of the embedded one (superuser; its"
            " databases and roles are left as they were); also HK_STAGING_URL",
        },
    ),
    (
        "--hk-twin-server",
        {
            "metavar": "URL",
            "help": "plan, prod, verify, rollback: make the copy of production on this empty server"
            " of its major version (superuser; it is left empty); also HK_TWIN_SERVER",
        },
    ),
    (
        "--hk-twin",
        {
            "metavar": "URL",
            "help": "plan, prod: also try the batch on this clone of production with rows, in a"
            " transaction that is rolled back; also HK_TWIN, and twin in [tool.housekeeping]",
        },
    ),
    (
        "--hk-keep",
        {
            "action": "store_true",
            "help": "staging: keep the database running and say how to connect",
        },
    ),
    (
        "--hk-mutate",
        {
            "action": "store_true",
            "help": "staging: plant common mistakes in this schema, one at a time, and count how"
            " many a check catches",
        },
    ),
    (
        "--hk-write-baseline",
        {
            "action": "store_true",
            "help": "staging: write checks/baseline.toml, which accepts the code's present"
            " violations of its contracts; from an existing file, only remove those that are gone",
        },
    ),
    (
        "--hk-no-commit",
        {"action": "store_true", "help": "write the audit, but do not commit it"},
    ),
    (
        "--hk-reports",
        {
            "metavar": "FOLDER",
            "help": "write the findings there for other programs: housekeeping.sarif,"
            " codequality.json (GitLab) and junit.xml",
        },
    ),
    (
        JSON,
        {
            "action": "store_true",
            "help": "print the result of the run as one JSON object, in the last line of standard"
            " output: python -m pytest_housekeeping docs agents",
        },
    ),
    (
        "--hk-reuse",
        {
            "choices": ("on", "off"),
            "help": "staging, and without a mode: off rebuilds the template of hk_database and the"
            " other fixtures, and keeps nothing of it for the next run",
        },
    ),
)
