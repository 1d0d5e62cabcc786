"""The record of runs: the journal of one that runs, the audit of one that ended, and git.

What is imported here is light. What reads or writes audits imports pydantic, and is imported from
its own module where it is needed:

- ``run_outcomes``: what ways to end have in common
- ``run_facts``: what is known before the first step; ``secrets``: what is written down nowhere
- ``audit``: make the audit of a run; ``model``: its fields, part by part; ``audit_file``: its JSON
  file
- ``bound``: what a promotion is bound to, and who has approved just that
- ``production_now``: what a run has seen in production beside its schema; ``schema_states``: that
  by its digests, before and after
- ``fields``: what journal and audit share; ``plain_audit``: an audit read without pydantic
- ``chain``: digests, and why an audit that was edited or taken away is noticed
- ``own_plan``: whether an audit fits its own plan; ``kinds``: its findings put together by cause
- ``compared_findings``: which of them are new, stand or are fixed; ``earlier_runs``: beside which
  runs
- ``journal``: line by line while a run lives; ``leftovers``, ``recovery``: what a killed run left
- ``git``: the repository; what it holds of evidence, and how that is committed, signed and pushed
- ``decisions``: what people have approved or looked through; ``signatures``: who has signed
- ``proof``: all evidence proved, what is still to be looked through, and the way back; ``records``:
  each audit as the proof reads it; ``run_entry``: what an index keeps of one
- ``thinning``: staging's log begun anew, without what nobody asks about any more; ``thinned``: the
  line that is left of such an audit
- ``fleet_record``: a run on many databases of one schema; ``fleet_standing``: how it leaves them
- ``index``: all runs put together: what was changed, by whom, and whether that is all of it
- ``finished``: a run that has ended, in one object for programs
- ``remarks``: what machines are told of a run; ``places``: where in the project's files it stands
- ``report``: an audit told to people, as HTML, in the terminal, on GitHub, after an incident
"""

from pytest_housekeeping.evidence.git.compare import Differences
from pytest_housekeeping.evidence.git.objects import BRANCHES
from pytest_housekeeping.evidence.git.repository import Repository, open_repository
from pytest_housekeeping.evidence.run_facts import (
    RunFacts,
    SourceFacts,
    StartFacts,
    stem,
    utc_stamp,
)
from pytest_housekeeping.evidence.secrets import Secrets

__all__ = [
    "BRANCHES",
    "Differences",
    "Repository",
    "RunFacts",
    "Secrets",
    "SourceFacts",
    "StartFacts",
    "open_repository",
    "stem",
    "utc_stamp",
]
