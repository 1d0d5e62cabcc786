"""The use cases: what runs in which order, what blocks what, what differs by mode."""
