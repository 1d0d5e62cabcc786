"""Layouts: how each tool keeps its migrations, one module a tool."""
