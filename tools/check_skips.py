"""Refuse tests that were skipped for want of a service or package that this machine could have; count all [R57].

Run: python tools/check_skips.py tests.xml --allow 'NXT_TEST_MQTT_URL is not set'

``tests.xml`` is pytest's JUnit report. The last line counts what ran.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

_WANTS = re.compile(r"NXT_TEST_\w+ is not set|not installed|can't be (installed|fetched|had)|did not start")


def outcomes(report: Path) -> tuple[Counter[str], Counter[str]]:
    """Read a report.

    Returns:
        How many tests passed, failed and skipped; and how many skipped for each reason.
    """
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif skipped is None or skipped.get("type") == "pytest.xfail":
            counts["passed"] += 1
        else:
            counts["skipped"] += 1
            reasons[skipped.get("message", "")] += 1
    return counts, reasons


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a report; 1 if a reason is not allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--allow", action="append", default=[], help="pattern of what this machine can't have")
    given = parser.parse_args(arguments)
    counts, reasons = outcomes(given.report)
    refused = 0
    for reason, count in sorted(reasons.items()):
        fine = not _WANTS.search(reason) or any(re.search(pattern, reason) for pattern in given.allow)
        refused += 0 if fine else count
        sys.stdout.write(f"{'skipped' if fine else 'SKIPPED WITHOUT NEED'}: {count} tests: {reason}\n")
    failed = counts["failed"] + refused
    sys.stdout.write(f"{counts['passed']} passed, {failed} failed, {counts['skipped'] - refused} skipped\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
