"""Venture: the order desk and the catalogue of one tenant."""
