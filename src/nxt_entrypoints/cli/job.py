"""``nxt job``: what runs by the clock, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option
from nxt_entrypoints.cli.running import environment_of
from nxt_entrypoints.settings.loader import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from nxt_entrypoints.settings.roles import Role
    from nxt_entrypoints.settings.settings import Settings


class Instant(click.ParamType[datetime]):
    """An instant such as ``2026-03-10`` or ``2026-03-10T10:00Z``; without a zone, UTC."""

    name = "INSTANT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ISO 8601."""
        if isinstance(value, datetime):
            return value
        try:
            read = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no instant, such as 2026-03-10T10:00Z", param, ctx)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)


@click.group()
def job() -> None:
    """Look at what runs by the clock, and run it by hand."""


@job.command("ls", epilog=examples("nxt job ls", "nxt job ls --json"))
@json_option
def list_jobs(as_json: bool) -> int:
    """List the jobs, their roles and times (UTC)."""
    from nxt_entrypoints.jobs.calendar import CALENDAR, OF_TELEMETRY  # noqa: PLC0415 - keeps `--help` fast

    rows = [
        {"job": one.name, "role": role, "cron": one.cron, "dated": one.is_dated}
        for role, calendar in (("jobs", CALENDAR), ("telemetry", OF_TELEMETRY))
        for one in calendar
    ]
    emit(rows, as_json=as_json, lines=lambda: [f"{row['job']:<26} {row['role']:<10} {row['cron']}" for row in rows])
    return 0


@job.command(
    epilog=examples(
        "nxt job run ledger-audit",
        "nxt job run generate-payouts --at 2026-02-01T06:00Z",
        "nxt job run exchange-rate-snapshot --at 2026-02-01T02:00Z --json",
    )
)
@click.argument("name")
@click.option("--at", type=Instant(), help="Run it as of an earlier instant; only for jobs that report on a time.")
@data_option
@json_option
def run(name: str, at: datetime | None, data: Path | None, as_json: bool) -> int:
    """Run a job once, now, whatever its schedule says.

    The configuration is that of the role that runs it. It holds the job's lease, and what was done before
    is not done twice. Exits with 1 when it fails, or when another process runs it.
    """
    from nxt_entrypoints.roles import by_hand  # noqa: PLC0415 - needs the extra

    role, found = by_hand.job_of(name)
    if at is not None and not found.is_dated:
        raise click.UsageError(f"{name} goes by the present moment alone")
    if at is not None and at > datetime.now(UTC):
        raise click.UsageError("--at lies in the future")
    result = by_hand.run(name, _settings(data, role), None if at is None else by_hand.StoppedClock(at))
    facts = {"job": name, "at": None if at is None else at.isoformat(), "result": _told(result)}
    emit(facts, as_json=as_json, lines=lambda: [f"{name}: {facts['result']}"])
    return 0


def _settings(data: Path | None, role: Role) -> Settings:
    return load_settings(environment_of(data), [role])


def _told(result: object) -> Any:  # noqa: ANN401 - any JSON
    return attrs.asdict(result) if attrs.has(type(result)) else result  # type: ignore[arg-type]  # asked just before
