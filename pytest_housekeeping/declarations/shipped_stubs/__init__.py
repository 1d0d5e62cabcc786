"""Stubs that come with the package, as a project would write them: ``NAME.toml``."""
