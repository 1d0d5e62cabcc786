"""A pytest plugin that adds up the figures of the fault sweep: ``-p support.fault_figures``."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":
                continue
            for name, value in report.user_properties:
                if name == "faults":
                    figures = json.loads(value)
                    total.update(
                        {k: v if isinstance(v, int) else len(v) for k, v in figures.items()}
                    )
    if total:
        terminalreporter.section("faults")
        for name, count in total.items():
            terminalreporter.write_line(f"{name.replace('_', ' ')}: {count}")
