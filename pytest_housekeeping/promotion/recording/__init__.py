"""The record of a run: a journal as it goes, then the audit, where it is kept and who is told."""
