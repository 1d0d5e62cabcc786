"""Tell a channel of Slack how a run has ended. As a conftest.py, or as a part of one.

SLACK_WEBHOOK_URL is an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
import os
import urllib.request

MARKS = {0: ":white_check_mark:", 1: ":x:", 4: ":no_entry:"}


def pytest_housekeeping_finished(finished):
    url = os.environ.get("SLACK_WEBHOOK_URL")
    if not url or finished.mode not in ("prod", "rollback", "verify"):
        return
    # The address is that of the environment and comes from nowhere else.
    request = urllib.request.Request(  # noqa: S310
        url,
        data=json.dumps(message(finished)).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def message(finished):
    """A headline for the notification, and below it what one asks first."""
    headline = f"{finished.mode}: {finished.headline or finished.outcome}"
    mark = MARKS.get(finished.exit_code, ":warning:")
    lines = [finished.meaning, finished.message.partition("\n")[0]]
    if finished.target:
        lines.append(f"{finished.target.database} on {finished.target.host}")
    if finished.run and finished.run.commit:
        lines.append(f"{finished.run.commit[:12]} by {finished.run.actor or 'nobody known'}")
    lines += [f"{each.rule}: {each.object}" for each in finished.findings[:5]]
    left = len(finished.findings) - 5 + finished.findings_left_out
    lines += [f"and {left} more"] if left > 0 else []
    text = "\n".join(escaped(line)[:300] for line in lines if line)
    link = f"\n<{finished.run.ci_url}|the run>" if finished.run and finished.run.ci_url else ""
    section = {"type": "mrkdwn", "text": f"{mark} *{escaped(headline)}*\n{text}{link}"}
    return {"text": headline, "blocks": [{"type": "section", "text": section}]}


def escaped(text):
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
