"""The models of what is kept as JSON: the audit of a run, part by part."""
