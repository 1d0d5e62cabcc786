"""A clone of production that has its rows: found, proved to be one, and the batch tried there."""
