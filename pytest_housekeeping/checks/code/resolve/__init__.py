"""What references mean on the uncommitted schema, as the server says it."""

from pytest_housekeeping.checks.code.resolve.catalog import (
    DependencyGraph,
    Node,
    read_dependency_graph,
)
from pytest_housekeeping.checks.code.resolve.references import resolve
from pytest_housekeeping.checks.code.resolve.resolution import (
    ReachedObject,
    Rejection,
    Resolution,
    Resolutions,
)
from pytest_housekeeping.checks.code.resolve.search_path import search_path

__all__ = [
    "DependencyGraph",
    "Node",
    "ReachedObject",
    "Rejection",
    "Resolution",
    "Resolutions",
    "read_dependency_graph",
    "resolve",
    "search_path",
]
