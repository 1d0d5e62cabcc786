"""What rows can refuse of a batch: the questions that are asked of production before it begins."""

from pytest_housekeeping.checks.rows.asking import Answer, NotChecked, ask, reading
from pytest_housekeeping.checks.rows.catalog import RowCatalog
from pytest_housekeeping.checks.rows.demands import BatchTexts, questions_of
from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.checks.rows.read_catalog import read_row_catalog
from pytest_housekeeping.checks.rows.verdict import rows_verdict

__all__ = [
    "Answer",
    "BatchTexts",
    "NotChecked",
    "Question",
    "RowCatalog",
    "Unasked",
    "ask",
    "questions_of",
    "read_row_catalog",
    "reading",
    "rows_verdict",
]
