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
            " plan: what a promotion would do to the database of PG*_PROD, and nothing is changed;"
            " prod: promote to the database of PG*_PROD, in one transaction, if all is proved;"
            " verify: every check on the database of PG*_PROD, and nothing is changed;"
            " rollback: undo a promotion of it, in one transaction, if all is proved",
        },
    ),
    (
        "--hk-target",
        {
            "metavar": "NAME",
            "help": "the database that the run is about, of [tool.housekeeping.targets]: its"
            " variables, evidence and pin; without it prod, that of PG*_PROD",
        },
    ),
    (
        "--hk-fleet",
        {
            "metavar": "NAME",
            "help": "plan, prod, verify: all databases of [tool.housekeeping.fleet.NAME]: rehearsed"
            " once for those that are alike, and promoted in waves",
        },
    ),
    (
        "--hk-shard",
        {
            "metavar": "N/M",
            "help": "plan, prod, verify: the N-th of M shares of the databases of --hk-fleet;"
            " prod: canary, the canaries of all of them and nothing else",
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
            " this migration (its number): it is undone, and what was applied after it",
        },
    ),
    (
        "--hk-as",
        {
            "metavar": "ROLE",
            "help": "plan: the role that promotes, where the plan connects as another one, and no"
            " promotion has told who it is",
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
            "help": "prod: promote exactly what was planned under this digest, and refuse by name"
            " whatever is otherwise by now",
        },
    ),
    (
        "--hk-emergency",
        {
            "metavar": "REASON",
            "help": "prod: wait for nobody: without evidence of staging and approvals, in any"
            " window; all is proved as ever, and a review is open until somebody has looked"
            " through it",
        },
    ),
    (
        "--hk-baseline",
        {
            "metavar": "VERSION",
            "help": "prod: record the migrations up to this version (auto: those that the history"
            " of another tool has) as applied, after showing that they are what is there, or what"
            " was made by hand since the last promotion",
        },
    ),
    (
        "--hk-accept-drift",
        {
            "metavar": "FINGERPRINT",
            "help": "prod: go on although the schema was changed past the files, to just this;"
            " rollback: leave a schema that differs from the backup in just this",
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
            "help": "verify: does nothing any more; made-up rows are written to a copy alone",
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
            "help": "plan, prod, verify, rollback: make the copy of production on this server, an"
            " empty one of production's major version (superuser; it is left empty); also"
            " HK_TWIN_SERVER",
        },
    ),
    (
        "--hk-twin",
        {
            "metavar": "URL",
            "help": "plan, prod: try the batch on this clone of production too, one that has its"
            " rows, in a transaction that is rolled back; also HK_TWIN, and twin in"
            " [tool.housekeeping]",
        },
    ),
    (
        "--hk-keep",
        {
            "action": "store_true",
            "help": "staging: leave the database up and say how to connect",
        },
    ),
    (
        "--hk-mutate",
        {
            "action": "store_true",
            "help": "staging: plant the classical slips in this very schema, one at a time, and"
            " count how many of them a check catches",
        },
    ),
    (
        "--hk-write-baseline",
        {
            "action": "store_true",
            "help": "staging: write checks/baseline.toml, which lets stand what the code does"
            " against its contracts by now; where there is one, only what is gone is taken out",
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
            "help": "leave what was found there for other machines: housekeeping.sarif,"
            " codequality.json (GitLab) and junit.xml",
        },
    ),
    (
        JSON,
        {
            "action": "store_true",
            "help": "print how the run ended as one JSON object, in the last line of standard"
            " output: python -m pytest_housekeeping docs agents",
        },
    ),
    (
        "--hk-reuse",
        {
            "choices": ("on", "off"),
            "help": "staging, and without a mode: off makes the template of hk_database and its"
            " like anew, and keeps nothing of it for the next run",
        },
    ),
)
