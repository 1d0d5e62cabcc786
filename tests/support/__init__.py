"""What the tests share. Nothing is imported here: a test takes the helpers that it needs.

Projects and runs
    ``staging_project``: a small project, one staging run of it, and what the run left behind.
    ``production_project``: a production with one promotion in it and another that waits.
    ``staged_project``: the evidence that staging would leave, without the run.
    ``rollback_project``: the second promotion done, with the files that undo it.
    ``forked_runs``: runs of pytest in forks of one process, at a third of the price.
    ``shared_rewriting``: the tests compiled once for all workers of a first run.
    ``meddling_conftests``: what a conftest.py may do to the items of such a run.
    ``folder_watch``: a plugin for such a run, which notes the folders that it makes.
    ``projects/``: the projects themselves.
Repositories and documents
    ``fresh_copy``: this repository as somebody else would get it; ``git``.
    ``git_http_server``: a bare repository, served over HTTP with a token.
    ``console_blocks``: the commands in a Markdown file, and what they show.
    ``documents``: the documents of this repository, and their blocks.
    ``prepared_python``: an environment that has the dependencies, made without pip.
    ``reference_pages``: the tables and files that a page of docs/ shows.
    ``workflow_runner``, ``workflow_actions``, ``workflow_expressions``: GitHub's runner.
Servers
    ``postgres_service``: a PostgreSQL on TCP that asks for a password.
    ``server_scripts``: the throwaway server in a process of its own, to be killed.
    ``ordinary_user``: whether a test can become a user without privileges.
    ``fault_proxy``: a connection that breaks at the k-th message.
    ``fault_campaign``, ``fault_figures``: many such faults in turn, what they left, the figures.
Schemas
    ``guarded``: a small sound schema with row-level security, for the rules.
    ``catalogue_cases``: what a team might have written, sound and not, for every rule.
    ``snapshot_schema``: one object of every kind, and small changes of each.
    ``lent_database``: one database for many tests, as long as they leave nothing in it.
    ``catalog_text``: what stands in a database, as text, read without the project's own code.
    ``cycle_ground``: a batch of migrations, and the verdict on the files that undo it.
    ``ddl_chains``: random chains of migrations with their rollbacks (and the ``ddl_*`` beside it).
    ``snippet_ground``, ``snippets/``: application code with its references labelled.
Records
    ``evidence_samples``: the facts of a run, for the tests of audit, journal and report.
"""
