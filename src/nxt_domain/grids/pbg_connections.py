"""The list of a grid's connections that performance-based grants ask for [API-94, MET-202]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.money import plain

Cell = str | Decimal

HEADER = (
    "External ID",
    "Customer Name",
    "Gender of Primary Account Holder",
    "Customer Category",
    "Customer Type",
    "Location (Address)",
    "Location (State)",
    "Phone Number",
    "Latitude",
    "Longitude",
    "Date Connected",
    "Meter Type (EXTRA FIELD)",
    "Meter Status (EXTRA FIELD)",
)
NO_PHONE = "+2349000000000"

_GENDERS = {"MALE": "Male", "FEMALE": "Female"}
_TYPES = {"LARGE": "Large", "SMALL": "Medium"}
_DONE = "SUCCESSFUL"
_HARMLESS = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)
_FORMULA = ("=", "+", "-", "@")
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]")


@attrs.frozen(kw_only=True)
class PbgConnection:
    """A meter that serves a customer, with what the list tells of both.

    Attributes:
        gender: Of the account holder; None: not told.
        generator_owned: Size of the customer's own generator; None: none.
        phone: As stored.
        latitude: Degrees north, of the meter's pole, else of the meter.
        longitude: Degrees east, likewise.
        import_status: Of the registration at the vendor; None: there is none.
        commissioned_at: Start of the last commissioning.
        commissioning_status: Of the last commissioning; None: there is none.
        open_issue: Kind of the meter's last issue, if it is open.
    """

    meter_id: int
    meter_reference: str
    meter_type: str
    customer_name: str | None
    gender: str | None
    is_commercial: bool
    is_residential: bool
    is_public: bool
    generator_owned: str | None
    phone: str | None
    latitude: Decimal | None
    longitude: Decimal | None
    import_status: str | None
    commissioned_at: datetime | None
    commissioning_status: str | None
    open_issue: str | None


def cells(connection: PbgConnection, grid_name: str) -> Sequence[Cell]:
    """Return what the list says of a connection, column by column."""
    return (
        connection.meter_reference,
        connection.customer_name or "",
        _GENDERS.get(connection.gender or "", "Undisclosed"),
        _category(connection),
        _TYPES.get(connection.generator_owned or "", "Small"),
        f"{grid_name} Community",
        "",
        connection.phone or NO_PHONE,
        "" if connection.latitude is None else connection.latitude,
        "" if connection.longitude is None else connection.longitude,
        _day(connection.commissioned_at),
        connection.meter_type,
        meter_status(connection),
    )


def csv_line(row: Sequence[Cell]) -> str:
    """Join the cells of a line; nothing is quoted, so what would need it is taken out."""
    return ",".join(plain(cell) if isinstance(cell, Decimal) else safe_text(cell) for cell in row)


def meter_status(connection: PbgConnection) -> str:
    """Say what stands between a meter and its service; empty: nothing."""
    if connection.import_status is None:
        return "No installation data available"
    if connection.import_status != _DONE:
        return f"Meter import: {connection.import_status}"
    if connection.commissioning_status is None:
        return "Meter commissioning: PENDING"
    if connection.commissioning_status != _DONE:
        return f"Meter commissioning: {connection.commissioning_status}"
    return f"Open issue: {connection.open_issue}" if connection.open_issue else ""


def safe_text(value: str) -> str:
    """Take out what ends a cell or a line, and what a spreadsheet would calculate; numbers and phones stay."""
    text = " ".join(value.replace(",", "").splitlines()).strip()
    is_formula = text.startswith(_FORMULA) and _HARMLESS.fullmatch(text) is None
    return f"'{text}" if is_formula else text


def file_name(grid_name: str, at: datetime, kind: str) -> str:
    """Name the file.

    Args:
        grid_name: As people call the grid.
        at: Now.
        kind: Ending of the name.
    """
    return f"{_UNSAFE_IN_NAME.sub('_', grid_name)}-pbg-connections-{iso_millis(at)}.{kind}"


def _category(connection: PbgConnection) -> str:
    if connection.is_commercial:
        return "Commercial"
    if connection.is_residential:
        return "Residential"
    return "Public" if connection.is_public else "UNKNOWN"


def _day(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC).date().isoformat()}T00:00:00"
