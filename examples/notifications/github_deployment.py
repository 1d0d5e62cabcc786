"""Show a promotion as a deployment on GitHub. As a conftest.py, or as a part of one.

GITHUB_TOKEN needs `deployments: write`: https://docs.github.com/en/rest/deployments/deployments
"""

import json
import os
import urllib.request

STATES = {"promoted": "success", "nothing_to_promote": "success", "unknown": "error"}


def pytest_housekeeping_finished(finished):
    token, repository = (os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
    if not (token and repository and finished.mode == "prod" and finished.run):
        return
    if not finished.run.commit:
        return  # refused before there was anything to deploy
    target = finished.target
    made = ask(
        f"repos/{repository}/deployments",
        token,
        ref=finished.run.commit,
        environment="production",
        task="schema",
        description=f"schema of {target.database}"[:140] if target else "schema",
        auto_merge=False,
        required_contexts=[],
    )
    ask(
        f"repos/{repository}/deployments/{made['id']}/statuses",
        token,
        state=STATES.get(finished.outcome, "failure"),
        log_url=finished.run.ci_url,
        description=finished.headline[:140],
    )


def ask(path, token, **fields):
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    # The address is that of the environment and comes from nowhere else.
    request = urllib.request.Request(  # noqa: S310
        f"{api}/{path}",
        data=json.dumps(fields).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)
