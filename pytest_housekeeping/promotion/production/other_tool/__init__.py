"""A production that another migration tool has filled, and may go on filling."""
