"""A run told to people, made from its audit and never from anything else.

- ``html``, ``html_steps``, ``templates``: the HTML report, with its templates and report.css
- ``terminal``: the last lines of the session
- ``github``: the step summary of a workflow, and a line for each finding about code
- ``incident``: the Markdown that a person completes after an incident
- ``wording``: each outcome in words; ``tally``: counts and order
- ``display``: text made fit to be shown
"""
