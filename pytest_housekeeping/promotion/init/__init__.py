"""An existing team's first files: read off the schema that its own files make."""
