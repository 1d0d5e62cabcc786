"""What checks/*.toml declares, and the rules that ship.

``Rule``, ``Tripwire`` and ``parse_rule`` are public: docs/python.md says how a package uses them.
"""

from pytest_housekeeping.declarations.rules import Rule, Tripwire, parse_rule

__all__ = ["Rule", "Tripwire", "parse_rule"]
