"""SQL that stands in code: found, completed, parsed, and what it names."""
