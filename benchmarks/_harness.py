"""What every benchmark shares: arguments, figures beside their peer or limit, percentiles, and facts of the machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from math import sqrt
from statistics import stdev
from typing import Any, TypeAlias, TypeVar

import attrs
import uvloop

_T = TypeVar("_T")

Cell: TypeAlias = "str | float | int | None"


@attrs.frozen(kw_only=True)
class Figure:
    """One measured quantity beside what it is held against.

    Attributes:
        case: What was measured.
        ours: The measured value.
        unit: Of both values.
        beside: Name of the peer or the limit.
        value: Theirs; None: there is nothing to compare with.
    """

    case: str
    ours: float
    unit: str
    beside: str = ""
    value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs."""
        return None if not self.value else self.ours / self.value

    def as_json(self) -> Mapping[str, Cell]:
        """Write it with its ratio."""
        return {**attrs.asdict(self), "ratio": self.ratio}


@attrs.frozen(kw_only=True)
class Table:
    """Rows that explain the figures, such as the share of time per step."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@attrs.frozen(kw_only=True)
class Report:
    """Everything that a benchmark prints."""

    benchmark: str
    figures: Sequence[Figure]
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Begin a command line: ``--help`` shows the module's text, ``--json`` asks for one JSON document."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    return parser


def count(text: str) -> int:
    """Read a number of things: at least one.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all values don't exceed; 0 of none.

    Args:
        values: In any order.
        share: In (0, 1].
    """
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered), -int(-share * len(ordered) // 1)) - 1)]


def standard_error(values: Sequence[float]) -> float | None:
    """Return that of the mean of values; None: there is only one."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def machine() -> Mapping[str, Cell]:
    """Describe what the figures were measured on, and how busy it was with other things."""
    return {
        "cores": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def publish(report: Report, *, as_json: bool) -> None:
    """Print a report as tables, or as one JSON document."""
    if as_json:
        document = {
            "benchmark": report.benchmark,
            "machine": machine(),
            "figures": [figure.as_json() for figure in report.figures],
            "tables": [attrs.asdict(table) for table in report.tables],
            "notes": list(report.notes),
        }
        print(json.dumps(document))
        return
    for table in report.tables:
        _print_table(table)
    rows = [(f.case, f.ours, f.unit, f.beside, f.value, _times(f.ratio)) for f in report.figures]
    _print_table(Table(title="", columns=("figure", "ours", "unit", "beside", "theirs", "ratio"), rows=rows))
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    print(f"measured on: {facts}")
    for note in report.notes:
        print(f"note: {note}")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the event loop that the roles use."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def progress(text: str) -> None:
    """Tell the person who waits, beside the output."""
    print(f"… {text}", file=sys.stderr, flush=True)


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.2f}x"


def _print_table(table: Table) -> None:
    rows = [[_cell(value) for value in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]
    if table.title:
        print(table.title)
    for row in (table.columns, *rows):
        print("  ".join(_aligned(row, widths, table.rows)))
    print()


def _aligned(row: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[Cell]]) -> Iterable[str]:
    for place, (text, width) in enumerate(zip(row, widths, strict=True)):
        is_number = any(isinstance(line[place], int | float) for line in rows)
        yield text.rjust(width) if is_number else text.ljust(width)


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else value
