"""Prechecks that more than one mode has."""
