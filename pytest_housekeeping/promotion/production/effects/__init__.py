"""What a batch does to everybody else who uses production, and what it meets there."""
