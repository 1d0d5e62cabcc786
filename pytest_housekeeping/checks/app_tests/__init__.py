"""The applications' own tests, and what the server has refused them."""

from pytest_housekeeping.checks.app_tests.connection import AppConnection, open_app_connection
from pytest_housekeeping.checks.app_tests.verdict import judge_app_tests

__all__ = ["AppConnection", "judge_app_tests", "open_app_connection"]
