"""A run told to people, made from its audit and from texts that the audit names by their digest.

- ``html``, ``html_steps``: the HTML report; its look is in *.html.jinja, report.css and search.js
- ``opening``: what all of them open with; ``access_matrix``, ``timeline``, ``found``: its parts;
  ``beside``: the texts that are shown beside the audit
- ``terminal``: the last lines of the session
- ``github``: the step summary of a workflow, and a line for each finding about code
- ``index_page``: all runs on one page, by index.html.jinja, index.css and index.js;
  ``index_tables``: the same, and the population, as JSON and CSV
- ``incident``: the Markdown that a person completes after an incident; its text is in *.md.jinja
- ``templates``: how all templates turn what they show into text, and nothing but text
- ``wording``: each outcome in words; ``tally``: counts and order
- ``display``: text made fit to be shown
"""
