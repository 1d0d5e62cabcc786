"""What the tests share. Nothing is imported here: a test takes the helpers that it needs."""
