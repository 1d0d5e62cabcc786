"""With what git is run, so that it tells what its objects say and nothing that a clone pretends.

A clone has settings, and has computed things before, that could make another history of the same
commits: replace references, grafts, parents and trees in a commit-graph, which differences of a
merge are shown, how messages are encoded. It can name programs, too, that git is to run: hooks (one
sees every reference that is moved, and may refuse it) and one that says what has changed. What this
leaves is that git looks at no hash when it
reads an object: who reads one here does (objects.py), and `git fsck` looks at all of them.
"""

from __future__ import annotations

import os

# `git status` would refresh the user's index, a `*` in a path would match other files, a push could
# wait for somebody to type a password, `git replace` shows a commit as another one, and what git
# says is read: https://git-scm.com/docs/git#_environment_variables
# A graft does what `git replace` does. Of a file that is empty git would warn, and of one that
# cannot be there it says nothing.
TRUTHFUL = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": f"{os.devnull}/none",
    "LANGUAGE": "C",
    "LC_ALL": "C",
}

# https://git-scm.com/docs/git-config: what stands on the command line counts before all else.
_SETTINGS = (
    "core.commitGraph=false",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "i18n.logOutputEncoding=UTF-8",
    "log.diffMerges=separate",
    "log.follow=false",
    "log.showRoot=true",
)
AS_IT_IS = tuple(word for setting in _SETTINGS for word in ("-c", setting))
