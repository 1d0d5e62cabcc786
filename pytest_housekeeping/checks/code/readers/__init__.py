"""Source files read, by language and by content: what each names of the database."""

from pytest_housekeeping.checks.code.readers.extract import Extraction, extract, read_files

__all__ = ["Extraction", "extract", "read_files"]
