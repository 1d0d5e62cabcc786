"""What was promoted before: as the target remembers it, and as another one has to have it."""
