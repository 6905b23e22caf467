"""Options that commands share, and what ``nxt up`` was asked for."""

from __future__ import annotations

import re
from pathlib import Path

import click
from attrs import frozen

from nxt_entrypoints.settings.roles import Role, parse_roles


@frozen(kw_only=True)
class UpOptions:
    """What ``nxt up`` was asked for.

    Attributes:
        data: Data directory; ``None`` for a temporary one (R37).
        port: Port of the API role; ``None`` for a free one.
        supabase_port: Port of the sign-in service; ``None`` for a free one.
        as_json: Print the JSON of R7, once everything is ready.
        traffic_per_minute: Purchases a minute and village; 0 for none (R10).
        report_every_s: Seconds between reports of a simulated meter (R36).
        log_level: Least level of the roles' logs.
        min_interval_ms: Spacing of downlinks in a village; ``None`` for the plug-in's two seconds (R9).
        speed: Divides the simulated delays of radio and couriers.
    """

    data: Path | None = None
    port: int | None = None
    supabase_port: int | None = None
    as_json: bool = False
    traffic_per_minute: float = 6.0
    report_every_s: float = 300.0
    log_level: str = "INFO"
    min_interval_ms: int | None = None
    speed: float = 1.0


class RoleList(click.ParamType[tuple[Role, ...]]):
    """A comma-separated list of roles."""

    name = "ROLE,ROLE…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Role, ...]:
        """Read the list."""
        try:
            return parse_roles(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Interval(click.ParamType[float]):
    """A time such as ``300s`` or ``5m``; a number alone is minutes. The value is seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read number and unit."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)?", str(value).strip())
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no time above 0, such as 300s or 5m", param, ctx)
        return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "m"]


class Age(click.ParamType[float]):
    """A time back from now, such as ``90m``, ``24h`` or ``7d``. The value is seconds."""

    name = "AGE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read number and unit."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(m|h|d)", str(value).strip())
        if match is None or not 0 < float(match[1]) * _SECONDS[match[2]] <= _LONGEST_AGE_S:
            self.fail(f"{value!r} is no age above 0, such as 90m, 24h or 7d", param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_LONGEST_AGE_S = 3_660 * 86_400

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of a running `nxt up`; not needed for the only one, unless NXT_DB_* name a database.",
)
