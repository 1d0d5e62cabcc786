"""SQL that stands in code: recognised, completed, parsed, and what it names."""
