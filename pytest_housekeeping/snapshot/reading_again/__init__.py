"""A fingerprint read once more: of what has changed alone."""
