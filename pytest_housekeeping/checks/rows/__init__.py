"""What rows can refuse of a batch: the questions that are asked of production before it begins."""
